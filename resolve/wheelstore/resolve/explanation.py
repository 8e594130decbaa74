"""Why there is no answer, for people and for programs."""

from __future__ import annotations

import textwrap
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wheelstore.resolve.derivation import derivation
from wheelstore.resolve.hints import find_hints
from wheelstore.resolve.leaves import Core, Kind, Step, core_of
from wheelstore.resolve.provider import Provider
from wheelstore.resolve.refutation import in_order, refute
from wheelstore.resolve.words import Words, listed

if TYPE_CHECKING:
    from nab_resolver.types import Incompatibility

_MOST_LINES = 15
_WIDTH = 158
_FACTS = (Kind.ROOT, Kind.CONSTRAINT, Kind.UNAVAILABLE)
_MANY = 8  # sentences
_MOST_PREMISES = 4  # of one sentence
_NO_ANSWER = "your requirements cannot be satisfied"


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Why there is no answer.

    ``text`` has a sentence per line; ``hints`` are what may help; ``data`` is the solver's whole derivation, for JSON:
    nodes that name their causes by number, the conclusion first.
    """

    text: str
    hints: tuple[str, ...]
    data: list[dict[str, Any]]


def explain(proof: Incompatibility[Any, Any], provider: Provider) -> Explanation:
    """Turn the solver's proof into sentences."""
    core = core_of(proof, provider)
    words = Words(provider)
    end = refute(core)
    lines = _Story(end, words).lines if end is not None else []
    if not lines or len(lines) > _MOST_LINES:
        lines = _listing(core, words)
    return Explanation(text="\n".join(lines), hints=find_hints(core, end, provider), data=derivation(proof, words))


class _Story:
    """Sentences for the steps of a refutation; short steps that are used once are told with what they lead to."""

    def __init__(self, end: Step, words: Words) -> None:
        self._words = words
        self._steps = list(in_order(end))
        self._uses = Counter(one for step in self._steps for one in step.premises)
        self._numbers: dict[Step, int] = {}
        self._merged: set[Step] = set()
        for step in self._steps:
            self._merge(step)
        self._summed: dict[Step, Step] = {}
        told = self._told()
        if len(told) > _MANY:
            self._merged.clear()
            self._summed = _repeated(told := self._told())
        last = max((told.index(step) for step in self._summed.values()), default=-1)
        self._sum = Step(kind=Kind.CASES, package="", bits=0)
        sentences: list[tuple[Step, str]] = []
        previous: Step | None = None
        for number, step in enumerate(told):
            if step not in self._summed:
                sentences.append((step, self._sentence(step, previous)))
                previous = step
            if number == last:
                sentences.append((self._sum, self._summary()))
                previous = self._sum
        self.lines = [line for step, text in sentences for line in self._wrapped(step, text)]

    def _wrapped(self, step: Step, text: str) -> list[str]:
        whole = text + (f" ({self._numbers[step]})" if step in self._numbers else "")
        return textwrap.wrap(whole, _WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)

    def _summary(self) -> str:
        """What is said of steps that are all like one that was told."""
        return f"In the same way, step by step, {self._outcome()}."

    def _outcome(self) -> str:
        gone: dict[str, int] = {}
        needed: dict[tuple[str, str], Step] = {}
        for step in self._summed:
            if step.kind is Kind.RULED_OUT:
                gone[step.package] = gone.get(step.package, 0) | step.bits
            elif step.clause is not None:
                needed[step.clause.package, step.package] = step
        out = [f"{_counted(package, bits)} cannot be used" for package, bits in gone.items()]
        return listed([*out, *map(self._conclusion, needed.values())])

    def _told(self) -> list[Step]:
        return [step for step in self._steps if step.kind not in _FACTS and step not in self._merged]

    def _merge(self, step: Step) -> None:
        if step.kind in _FACTS:
            return
        for one in step.premises:
            if (
                one.kind is Kind.NEEDED
                and self._uses[one] == 1
                and self._weight(step) + self._weight(one) - 1 <= _MOST_PREMISES
            ):
                self._merged.add(one)

    def _weight(self, step: Step) -> int:
        """How much a sentence has to say before it comes to its conclusion."""
        own = len(step.case) + (step.clause is not None)
        return own + sum(self._weight(one) if one in self._merged else 1 for one in step.premises)

    def _premises(self, step: Step) -> list[Step]:
        found: dict[Step, None] = {}
        for one in step.premises:
            found.update(dict.fromkeys(self._premises(one)) if one in self._merged else {one: None})
        return list(found)

    def _facts(self, step: Step) -> list[str]:
        """The facts of a step and of those that are told with it, what is given first."""
        given = [one for one in self._premises(step) if one.kind in (Kind.ROOT, Kind.CONSTRAINT)]
        facts = [self._words.given(given)] if given else []
        own = self._own(step)
        facts = [*own, *facts] if step.kind is Kind.RULED_OUT else [*facts, *own]
        return list(dict.fromkeys(facts))

    def _own(self, step: Step) -> list[str]:
        facts: list[str] = []
        for one in step.premises:
            if one in self._merged:
                facts += self._own(one)
            elif one.kind is Kind.UNAVAILABLE and step.kind is not Kind.NEEDED:  # else "all usable versions" says it
                facts.append(self._words.fact(one))
        clauses = step.case if step.clause is None else (step.clause,)
        facts += map(self._words.clause, clauses)
        return [*facts, *self._words.missing(step)] if step.kind in (Kind.RULED_OUT, Kind.NOTHING) else facts

    def _sentence(self, step: Step, previous: Step | None) -> str:
        derived = [one for one in self._premises(step) if one.kind not in _FACTS]
        derived = list(dict.fromkeys(self._sum if one in self._summed else one for one in derived))
        earlier = [one for one in derived if one is not previous]
        parts = [self._reference(one) for one in earlier] + self._facts(step)
        opening = "And because" if previous in derived else "Because"
        if not parts:
            return f"So {self._conclusion(step)}."
        return f"{opening} {listed(parts)}, {self._conclusion(step)}.{self._likewise(step)}"

    def _likewise(self, step: Step) -> str:
        others = step.likewise & ~step.bits if step.kind is Kind.CASES else 0
        if not others:
            return ""
        count = others.bit_count()
        which = f"{count} other versions of {step.package}" if count > 1 else self._words.range(step.package, others)
        return f" In the same way, {which} cannot be used."

    def _reference(self, step: Step) -> str:
        number = self._number(step)
        return f"{self._outcome() if step is self._sum else self._conclusion(step)} ({number})"

    def _number(self, step: Step) -> int:
        return self._numbers.setdefault(step, len(self._numbers) + 1)

    def _conclusion(self, step: Step) -> str:
        if step.kind is Kind.NOTHING:
            return _NO_ANSWER
        if step.kind is Kind.NEEDED:
            assert step.clause is not None
            return f"{self._words.wanted(step.clause)} is needed"
        return f"{self._words.subject(step.package, step.bits)} cannot be used"


def _repeated(told: list[Step]) -> dict[Step, Step]:
    """The steps from one package to another that are told for others of their versions already."""
    first: dict[tuple[Kind, str, str], Step] = {}
    found: dict[Step, Step] = {}
    for step in told:
        if step.kind in (Kind.RULED_OUT, Kind.NEEDED) and step.clause is not None:
            example = first.setdefault((step.kind, step.clause.package, step.clause.dependency), step)
            if example is not step:
                found[step] = example
    return found


def _counted(package: str, bits: int) -> str:
    count = bits.bit_count()
    return f"{count} other version{'s' if count > 1 else ''} of {package}"


def _listing(core: Core, words: Words) -> list[str]:
    """The facts themselves, a line for all from one package to another."""
    lines = [words.fact(step) for step in (*core.roots, *core.constraints)]
    for clauses in core.clauses.values():
        first = [words.clause(clause) for clause in clauses[:2]]
        more = f", and so on for {len(clauses) - 2} more" if len(clauses) > 2 else ""
        lines.append(", ".join(first) + more)
    lines += [words.fact(step) for step in core.unavailable if core.known[step.package]]
    lines += [f"{name} was not found" for name, known in core.known.items() if not known]
    shown = lines if len(lines) < _MOST_LINES else lines[: _MOST_LINES - 2]
    found = [textwrap.shorten(f"- {line}", _WIDTH, placeholder=" …") for line in shown]
    if len(shown) < len(lines):
        found.append(f"- and {len(lines) - len(shown)} more")
    return [f"Because these exclude each other, {_NO_ANSWER}:", *found]
