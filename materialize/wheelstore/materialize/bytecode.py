"""Bytecode: which modules of an environment have some, what it is called, and how the environment's Python makes it.

A module has its blob's time, and so does its ``.pyc`` say: it stays valid in every environment, and is made once. Its
header has the time and size of the source (PEP 552) whatever SOURCE_DATE_EPOCH says, because that time comes from the
content and is what makes the bytes reproducible.
"""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections import deque
from collections.abc import Collection, Generator, Mapping, Sequence
from queue import Empty, Queue
from typing import IO, NamedTuple

from wheelstore.materialize.interpreter import Interpreter, InterpreterFailed, cannot_start
from wheelstore.materialize.link import BlobUnusable
from wheelstore.materialize.plan import Link, Plan, make_plan
from wheelstore.store.blobs import name_mtime
from wheelstore.store.errors import StoreError

_SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_compile_script.py")
_CHANGED = b"?"
_LATE = 60.0  # seconds that a module may take
_NO_MEMORY = 12  # how the script says that it had too little
_AHEAD = 2  # modules that a process is asked for at a time, so that it does not wait for us
_WAITING = 16  # finished modules that wait to be taken


class Module(NamedTuple):
    """What is to be compiled: the blob's name (as in `Link.source`), its size in bytes, the optimisation level."""

    source: str
    size: int
    level: int


class CompilingFailed(StoreError):
    """A module may well compile, but not here and now; `blob` has it, `target` is its name if that is known."""

    hint = "run the same command again when the machine has more to spare, or with --no-compile-bytecode"

    def __init__(self, blob: str, reason: str, target: str = "") -> None:
        super().__init__(blob, reason, target)
        self.blob, self.reason, self.target = blob, reason, target

    def __str__(self) -> str:
        return f"cannot compile {self.target or self.blob or 'an empty module'}: {self.reason}"


class Compiled(NamedTuple):
    """A module and its ``.pyc``, which is empty if it does not compile: never, whoever tries."""

    module: Module
    pyc: bytes


def bytecode_tag(interpreter: Interpreter, level: int) -> str:
    """What the ``.pyc`` of a module depends on beside the module: names and format of one kind of bytecode."""
    return f"{_infix(interpreter, level)} {interpreter.magic}"


def _infix(interpreter: Interpreter, level: int) -> str:
    """What stands between a module's name and ``.pyc`` (PEP 488)."""
    return f"{interpreter.cache_tag}.opt-{level}" if level else interpreter.cache_tag


def modules_of(plan: Plan, sites: Collection[str]) -> dict[str, str]:
    """The sources, by target, of every module below `sites` that can have bytecode."""
    below = tuple(f"{site}/" for site in sites)
    return {
        target: source
        for target, source in zip(plan.targets, plan.sources, strict=True)
        if target.endswith(".py") and target.startswith(below) and "/__pycache__/" not in target
    }


def with_bytecode(plan: Plan, interpreter: Interpreter, pycs: Mapping[tuple[str, int], str]) -> Plan:
    """`plan` with a link for each module's bytecode; `pycs` are blobs' names by source and optimisation level.

    What a wheel brings itself stays.
    """
    levels = sorted({level for _, level in pycs})
    modules = modules_of(plan, (interpreter.purelib, interpreter.platlib))
    links = {
        _cached(target, _infix(interpreter, level)): pycs[source, level]
        for target, source in modules.items()
        for level in levels
        if (source, level) in pycs
    }
    links |= zip(plan.targets, plan.sources, strict=True)
    return make_plan(
        [Link(target, source) for target, source in links.items()],
        plan.scripts,
        plan.records,
        plan.distributions,
        directories=plan.directories,
    )


def _cached(target: str, infix: str) -> str:
    """Where Python looks for a module's bytecode (PEP 3147)."""
    directory, _, name = target.rpartition("/")
    return f"{directory}/__pycache__/{name[:-3]}.{infix}.pyc"


def compile_modules(
    interpreter: Interpreter, blobs: str, modules: Sequence[Module], *, processes: int
) -> Generator[Compiled, None, None]:
    """Compile `modules`, whose blobs are under `blobs`, by so many processes of `interpreter`; in any order.

    The processes end when the iterator does (or is closed).

    Raises:
        CompilingFailed: twice, a module ended its process, or took longer than a minute, or all the memory.
        InterpreterFailed: the interpreter cannot be started, or is not what it was.
        BlobUnusable: a blob is missing, or was changed.
    """
    # Large ones first, so that in the end no process works alone.
    jobs = deque(sorted(modules, key=lambda module: (-module.size, module)))
    results: Queue[Compiled | BaseException | None] = Queue(_WAITING)
    doubtful: set[Module] = set()
    crew = [_Compiler(interpreter, blobs, jobs, results, doubtful) for _ in range(min(processes, len(jobs)))]
    try:
        for one in crew:
            one.start()
        busy = len(crew)
        while busy:
            for one in crew:
                one.end_if_late()
            try:
                result = results.get(timeout=1.0)
            except Empty:
                continue
            if result is None:
                busy -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
    finally:
        jobs.clear()
        for one in crew:
            one.stop()
        for one in crew:
            while one.is_alive():
                _drain(results)
                one.join(0.01)


def _drain(results: Queue[Compiled | BaseException | None]) -> None:
    while not results.empty():
        results.get_nowait()


class _Compiler(threading.Thread):
    """Asks one process of the interpreter for one module after the other; starts another when it dies."""

    def __init__(
        self,
        interpreter: Interpreter,
        blobs: str,
        jobs: deque[Module],
        results: Queue[Compiled | BaseException | None],
        doubtful: set[Module],
    ) -> None:
        super().__init__(daemon=True)
        self._interpreter, self._blobs, self._jobs = interpreter, blobs, jobs
        self._results, self._doubtful = results, doubtful
        self._process: subprocess.Popen[bytes] | None = None
        self._since: float | None = None  # when the answer began that is waited for now
        self._late = self._stopped = False

    def end_if_late(self) -> None:
        """End the process if a module takes too long."""
        process = self._process
        since = self._since
        if process is not None and since is not None and time.monotonic() - since > _LATE:
            self._late = True
            process.kill()

    def stop(self) -> None:
        """End the process; nothing more is asked of it."""
        self._stopped = True
        process = self._process
        if process is not None:
            process.kill()

    def run(self) -> None:
        """Ask until there is nothing left to ask for."""
        try:
            while self._jobs and not self._stopped:
                self._ask_one_process()
        except BaseException as error:
            self._results.put(error)
        finally:
            self._results.put(None)

    def _ask_one_process(self) -> None:
        self._late = False
        process = _start(self._interpreter.executable)
        self._process = process
        asked: deque[Module] = deque()
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            if self._stopped:
                return
            self._check(self._wait(process.stdout))
            while not self._stopped:
                self._ask(process.stdin, asked)
                if not asked:
                    return
                content = self._wait(process.stdout)
                if content is None:
                    process.kill()
                    self._blame(asked, process.wait())
                    return
                self._take(asked.popleft(), content)
        finally:
            process.kill()
            process.stdout.close()
            try:  # noqa: SIM105 - what was not sent to a dead process is sent by closing
                process.stdin.close()
            except OSError:
                pass
            process.wait()

    def _wait(self, stream: IO[bytes]) -> bytes | None:
        self._since = time.monotonic()
        try:
            return _answer(stream)
        finally:
            self._since = None

    def _check(self, magic: bytes | None) -> None:
        """Look whether the interpreter is what it was when its facts were asked for."""
        if magic is None and not self._stopped:
            raise InterpreterFailed(self._interpreter.executable, "does not start to compile")
        if magic is not None and magic.hex() != self._interpreter.magic:
            raise InterpreterFailed(self._interpreter.executable, "is another Python than it was just now")

    def _ask(self, stream: IO[bytes], asked: deque[Module]) -> None:
        while len(asked) < _AHEAD:
            try:
                module = self._jobs.popleft()
            except IndexError:
                return
            asked.append(module)
            path = f"{self._blobs}/{module.source}" if len(module.source) > 1 else ""
            request = b"%d %d %s" % (source_time(module.source), module.level, os.fsencode(path))
            try:
                stream.write(len(request).to_bytes(4, "little") + request)
                stream.flush()
            except OSError:  # it is dead, which its answer will say
                return

    def _take(self, module: Module, content: bytes) -> None:
        if content == _CHANGED:
            raise BlobUnusable("bytecode", module.source, "is missing, or was changed")
        self._results.put(Compiled(module, content))

    def _blame(self, asked: deque[Module], status: int) -> None:
        """The process ended on the first of what it was asked for, which is tried again: once may be by chance."""
        if self._stopped:
            return
        module = asked[0]
        if module in self._doubtful:
            raise CompilingFailed(module.source, self._reason(status))
        self._doubtful.add(module)
        self._jobs.extendleft(reversed(asked))

    def _reason(self, status: int) -> str:
        if self._late:
            return f"it takes longer than {_LATE:g} seconds"
        if status == _NO_MEMORY:
            return "out of memory"
        if status < 0:
            return f"its process was killed by signal {-status}, perhaps for want of memory"
        return f"its process ended with status {status}"


def source_time(source: str) -> int:
    """The time of a file that is made from `source`, in seconds since the epoch."""
    return name_mtime(source if len(source) > 1 else EMPTY)


EMPTY = "af/1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
"""What an empty blob would be called, if there were one."""


def _start(executable: str) -> subprocess.Popen[bytes]:
    # No `-I`: it would ignore PYTHONHASHSEED, without which sets of constants come in any order.
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environ["PYTHONHASHSEED"] = "0"
    try:
        return subprocess.Popen(
            [executable, "-S", "-s", "-B", _SCRIPT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environ,
            start_new_session=True,
        )
    except OSError as error:
        raise InterpreterFailed(executable, cannot_start(error)) from None


def _answer(stream: IO[bytes]) -> bytes | None:
    """One answer of the script; None if it ended before it was whole."""
    head = stream.read(4)
    if len(head) < 4:
        return None
    size = int.from_bytes(head, "little")
    content = stream.read(size)
    return content if len(content) == size else None
