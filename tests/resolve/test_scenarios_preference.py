"""Which of the versions that fit: the highest, the lowest, those of an earlier lock."""

from __future__ import annotations

import pytest
from support.scenarios import Scenario

from wheelstore.resolve.problem import Preference, Rules

LOWEST, LOWEST_DIRECT = Rules(preference=Preference.LOWEST), Rules(preference=Preference.LOWEST_DIRECT)

NUMBERS = """
a 1.0 -> b
a 2.0 -> b
a 10.0 -> b>=2
b 1.0
b 2.0
b 3.0
"""

SCENARIOS = (
    Scenario(name="highest", index=NUMBERS, roots="a", pins="a 10.0, b 3.0"),
    Scenario(name="lowest", index=NUMBERS, roots="a", rules=LOWEST, pins="a 1.0, b 1.0"),
    Scenario(name="lowest of a range", index=NUMBERS, roots="a>1", rules=LOWEST, pins="a 2.0, b 1.0"),
    Scenario(name="lowest-direct", index=NUMBERS, roots="a", rules=LOWEST_DIRECT, pins="a 1.0, b 3.0"),
    Scenario(name="lowest-direct of two", index=NUMBERS, roots="a>=10 | b", rules=LOWEST_DIRECT, pins="a 10.0, b 2.0"),
    Scenario(
        name="lowest that does not work is passed over",
        index="""
        a 1.0 -> b>=9
        a 2.0 -> b
        b 1.0
        b 2.0
        """,
        roots="a",
        rules=LOWEST,
        pins="a 2.0, b 1.0",
    ),
    Scenario(
        name="lowest passes over yanked and pre-releases",
        index="""
        a 1.0a1
        a 1.0 yanked
        a 1.1
        a 1.2
        """,
        roots="a",
        rules=LOWEST,
        pins="a 1.1",
    ),
    Scenario(
        name="lowest of a constraint", index=NUMBERS, roots="a", constraints="b>1", rules=LOWEST, pins="a 1.0, b 2.0"
    ),
    Scenario(name="versions are numbers", index="a 1.9\na 1.10\na 1.2", roots="a", pins="a 1.10"),
    Scenario(name="trailing zeros are nothing", index="a 1.0.0\na 0.9", roots="a==1", pins="a 1.0.0"),
    Scenario(name="an epoch is above everything", index="a 2024.1\na 1!1.0", roots="a", pins="a 1!1.0"),
    Scenario(name="epochs are not mixed", index="a 2024.1\na 1!1.0", roots="a<3000", pins="a 2024.1"),
    Scenario(name="an epoch in ==", index="a 1.0\na 1!1.0", roots="a==1!1.0", pins="a 1!1.0"),
    Scenario(name="an epoch with a wildcard", index="a 1.5\na 1!1.4\na 1!2.0", roots="a==1!1.*", pins="a 1!1.4"),
    Scenario(name="~= of two numbers", index="a 1.4\na 1.9\na 2.0", roots="a~=1.4", pins="a 1.9"),
    Scenario(name="~= of three numbers", index="a 1.4.2\na 1.4.9\na 1.5", roots="a~=1.4.2", pins="a 1.4.9"),
    Scenario(name="!= leaves the others", index="a 1\na 2\na 3", roots="a!=3,!=1", pins="a 2"),
    Scenario(name="!= with a wildcard", index="a 1.0\na 2.0\na 2.1", roots="a!=2.*", pins="a 1.0"),
    Scenario(name="== with a wildcard", index="a 1.1\na 1.2.3\na 1.20\na 2", roots="a==1.2.*", pins="a 1.2.3"),
    Scenario(name="=== of the same text", index="a 1.0\na 1.1", roots="a===1.0", pins="a 1.0"),
    Scenario(name="preferred pins stay", index=NUMBERS, roots="a", preferred="a 2.0, b 2.0", pins="a 2.0, b 2.0"),
    Scenario(
        name="preferred pins that do not fit go",
        index=NUMBERS,
        roots="a>2",
        preferred="a 2.0, b 1.0",
        pins="a 10.0, b 3.0",
    ),
    Scenario(
        name="preferred pins that are gone", index=NUMBERS, roots="a", preferred="a 4.0, b 2.0", pins="a 10.0, b 2.0"
    ),
    Scenario(
        name="a preferred pin that a new requirement moves",
        index="""
        a 1.0 -> c==1
        a 2.0 -> c==2
        b 1.0 -> c==2
        c 1
        c 2
        """,
        roots="a | b",
        preferred="a 1.0, c 1",
        pins="a 2.0, b 1.0, c 2",
    ),
    Scenario(
        name="a preferred pin that was yanked stays",
        index="a 1.0 yanked\na 0.9",
        roots="a",
        preferred="a 1.0",
        pins="a 1.0",
    ),
    Scenario(
        name="a preferred pin wins over lowest", index=NUMBERS, roots="b", preferred="b 2.0", rules=LOWEST, pins="b 2.0"
    ),
    Scenario(
        name="a preferred pre-release stays", index="a 1.0\na 2.0a1", roots="a", preferred="a 2.0a1", pins="a 2.0a1"
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    scenario.check()
