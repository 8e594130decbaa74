"""Why there is no answer, word for word: what is missing, and what excludes each other."""

from __future__ import annotations

import pytest
from support.scenarios import Scenario

from wheelstore.resolve.problem import Preference, Rules

SCENARIOS = (
    Scenario(
        name="a missing project",
        index="a 1.0",
        roots="b",
        error="""
Because you require b (requirements.in:1) and b was not found, your requirements cannot be satisfied.
hint: b is not in https://index.test/simple/
""",
    ),
    Scenario(
        name="a misspelled project",
        index="requests 1.0",
        roots="requests | reqeusts",
        error="""
Because you require reqeusts (requirements.in:2) and reqeusts was not found, your requirements cannot be satisfied.
hint: reqeusts is not in https://index.test/simple/; did you mean requests?
""",
    ),
    Scenario(
        name="a missing version",
        index="a 1.0\na 1.1\na 1.2\na 1.3",
        roots="a==2.0",
        error="""
Because you require a==2.0 (requirements.in:1) and there are only versions 1.0 to 1.3 of a, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a missing version of few",
        index="a 1.0\na 1.1",
        roots="a==2.0",
        error="""
Because you require a==2.0 (requirements.in:1) and there are only 1.0 and 1.1 of a, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a missing dependency",
        index="a 1.0 -> missing\na 2.0 -> missing>=2",
        roots="a",
        error="""
Because you require a (requirements.in:1), all versions of a depend on missing or missing>=2 and missing was not found, your requirements cannot be satisfied.
hint: missing is not in https://index.test/simple/
""",
    ),
    Scenario(
        name="a missing dependency of a dependency",
        index="a 1.0 -> b\nb 1.0 -> missing",
        roots="a",
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b, b==1.0 depends on missing and missing was not found, your requirements cannot be satisfied.
hint: missing is not in https://index.test/simple/
""",
    ),
    Scenario(
        name="two requirements",
        index="a 1.0\na 2.0",
        roots="a<2 | a>=2",
        error="""
Because you require a<2 (requirements.in:1) and a>=2 (requirements.in:2), your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a gap between versions",
        index="a 1.0\na 2.0",
        roots="a>1.0,<2.0",
        error="""
Because you require a<2.0,>1.0 (requirements.in:1) and there are only 1.0 and 2.0 of a, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a requirement against a dependency",
        index="a 1.0 -> b<2\nb 1.0\nb 2.0",
        roots="a | b>=2",
        error="""
Because you require a (requirements.in:1) and b>=2 (requirements.in:2), and a==1.0 depends on b<2, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="two dependencies",
        index="a 1.0 -> c<2\nb 1.0 -> c>=2\nc 1.0\nc 2.0",
        roots="a | b",
        error="""
Because you require a (requirements.in:1) and b (requirements.in:2), a==1.0 depends on c<2 and b==1.0 depends on c>=2, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="two dependencies of all versions",
        index="a 1.0 -> c<2\na 1.1 -> c<2\nb 1.0 -> c>=2\nb 1.1 -> c>=2\nc 1.0\nc 2.0",
        roots="a | b",
        error="""
Because you require a (requirements.in:1) and b (requirements.in:2), all versions of a depend on c<2 and all versions of b depend on c>=2, your requirements
  cannot be satisfied.
""",
    ),
    Scenario(
        name="versions with different reasons",
        index="a 1.0 -> missing\na 2.0 -> b<2\na 3.0 -> c>=2\nb 1.0\nb 2.0\nc 1.0",
        roots="a | b>=2",
        error="""
Because a==2.0 depends on b<2 and you require b>=2 (requirements.in:2), a==2.0 cannot be used. (1)
Because a==3.0 depends on c>=2 and there is only c==1.0, a==3.0 cannot be used. (2)
Because a==1.0 depends on missing and missing was not found, a==1.0 cannot be used.
And because a==2.0 cannot be used (1), a==3.0 cannot be used (2) and you require a (requirements.in:1), your requirements cannot be satisfied.
hint: missing is not in https://index.test/simple/
""",
    ),
    Scenario(
        name="along a chain",
        index="a 1.0 -> b\nb 1.0 -> c\nc 1.0 -> d<2\nd 1.0\nd 2.0",
        roots="a | d>=2",
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b, b==1.0 depends on c and c==1.0 depends on d<2, d<2 is needed.
And because you require d>=2 (requirements.in:2), your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a range of versions",
        index="\n".join([f"a 1.{n} -> b<2" for n in range(20)] + ["a 2.0 -> b>=2", "b 1.0", "b 2.0"]),
        roots="a<2 | b>=2",
        error="""
Because you require a<2 (requirements.in:1) and b>=2 (requirements.in:2), and a<2.0 depends on b<2, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a version that cannot be taken, and one that does not fit",
        index="a 1.0 -> c<2\na 2.0 python>=3.13\nb 1.0 -> c>=2\nc 1.0\nc 2.0",
        roots="a | b",
        error="""
Because you require a (requirements.in:1) and b (requirements.in:2), a==1.0, the only usable version, depends on c<2 and b==1.0 depends on c>=2, your
  requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="only unusable metadata",
        index="a 1.0 broken",
        roots="a",
        error="""
Because you require a (requirements.in:1) and a==1.0 cannot be taken (unusable metadata), your requirements cannot be satisfied.
hint: a==1.0 has no usable metadata: https://files.test/index/a-1.0-py3-none-any.whl: its metadata is unusable: it has no Version
""",
    ),
    Scenario(
        name="only unreadable requirements",
        index="a 1.0 -> b >> 1",
        roots="a",
        error="""
Because you require a (requirements.in:1) and a==1.0 cannot be taken (unusable metadata), your requirements cannot be satisfied.
hint: a==1.0 has no usable metadata: 'b >> 1' is not a requirement: Expected semicolon … name with no version specifier) or end at '>> 1'
""",
    ),
    Scenario(
        name="a dependency without a wheel for this platform",
        index="a 1.0 -> b\nb 1.0 cp312-cp312-win_amd64 cp312-cp312-macosx_11_0_arm64",
        roots="a",
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b and b==1.0 cannot be taken (no wheel for this platform), your requirements cannot be satisfied.
hint: b==1.0 has only wheels for cp312-cp312-macosx_11_0_arm64, cp312-cp312-win_amd64, none for this platform (cp312-cp312-linux_x86_64)
""",
    ),
    Scenario(
        name="three ways round",
        index="""
        a 1.0 -> b | c
        b 1.0 -> d<2
        b 2.0 -> d<2
        c 1.0 -> d>=2
        d 1.0
        d 2.0
        """,
        roots="a",
        error="""
Because you require a (requirements.in:1), a==1.0 depends on c and c==1.0 depends on d>=2, d>=2 is needed.
And because you require a (requirements.in:1), a==1.0 depends on b and all versions of b depend on d<2, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a choice that fails either way",
        index="""
        a 1.0 -> b==1
        a 2.0 -> b==2
        b 1 -> c<2
        b 2 -> d<2
        c 1
        c 2
        d 1
        d 2
        """,
        roots="a | c>=2 | d>=2",
        error="""
Because b==1 depends on c<2 and you require c>=2 (requirements.in:2), b==1 cannot be used. (1)
Because b==2 depends on d<2 and you require d>=2 (requirements.in:3), b==2 cannot be used.
And because b==1 cannot be used (1), you require a (requirements.in:1) and all versions of a depend on b, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="with a constraint in between",
        index="a 1.0 -> b>=2\nb 1.0\nb 2.0",
        roots="a",
        constraints="b<2",
        error="""
Because you require a (requirements.in:1) and you constrain b<2 (constraints.txt:1), and a==1.0 depends on b>=2, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="an earlier pin changes nothing",
        index="a 1.0 -> b>=2\nb 1.0",
        roots="a",
        preferred="a 1.0, b 1.0",
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b>=2 and there is only b==1.0, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="lowest has no answer either",
        index="a 1.0 -> b>=2\na 2.0 -> b>=3\nb 1.0",
        roots="a",
        rules=Rules(preference=Preference.LOWEST),
        error="""
Because you require a (requirements.in:1), all versions of a depend on b>=2 or b>=3 and there is only b==1.0, your requirements cannot be satisfied.
""",
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    scenario.check()
