"""Pre-releases, in each of uv's five modes; development releases, post-releases and local versions."""

from __future__ import annotations

import pytest
from support.scenarios import Scenario

from wheelstore.resolve.problem import Prereleases, Rules


def mode(prereleases: Prereleases) -> Rules:
    return Rules(prereleases=prereleases)


ALLOW, DISALLOW = mode(Prereleases.ALLOW), mode(Prereleases.DISALLOW)
NECESSARY, EXPLICIT = mode(Prereleases.IF_NECESSARY), mode(Prereleases.EXPLICIT)

BOTH = "a 1.0\na 2.0a1\na 2.0rc1"
ONLY = "a 1.0a1\na 1.0rc1\na 1.0.dev3"
BEHIND = """
a 1.0 -> b>=2.0a1
b 1.0
b 2.0b1
"""
BEHIND_ONLY = """
a 1.0 -> b
b 1.0a1
b 1.0b2
"""

SCENARIOS = (
    Scenario(name="a release before a later pre-release", index=BOTH, roots="a", pins="a 1.0"),
    Scenario(name="pre-releases of what has no release", index=ONLY, roots="a", pins="a 1.0rc1"),
    Scenario(name="named in the input", index=BOTH, roots="a>=2.0a1", pins="a 2.0rc1"),
    Scenario(name="named with an upper bound", index=BOTH, roots="a<2.0b1", pins="a 2.0a1"),
    Scenario(name="named by a constraint", index=BOTH, roots="a", constraints="a>=2.0a1", pins="a 2.0rc1"),
    Scenario(name="named with ==", index=BOTH, roots="a==2.0a1", pins="a 2.0a1"),
    Scenario(name="named with != is named as well", index=BOTH, roots="a!=2.0rc1", pins="a 2.0a1"),
    Scenario(
        name="an upper bound leaves its own pre-releases out", index=BOTH, roots="a<2.0", rules=ALLOW, pins="a 1.0"
    ),
    Scenario(name="allow", index=BOTH, roots="a", rules=ALLOW, pins="a 2.0rc1"),
    Scenario(name="allow of a dependency", index=BEHIND, roots="a", rules=ALLOW, pins="a 1.0, b 2.0b1"),
    Scenario(name="disallow", index=BOTH, roots="a", rules=DISALLOW, pins="a 1.0"),
    Scenario(
        name="disallow of what has nothing else",
        index=ONLY,
        roots="a",
        rules=DISALLOW,
        error="""
Because you require a (requirements.in:1) and no version of a can be taken (pre-release), your requirements cannot be satisfied.
hint: a==1.0rc1 is a pre-release, and --prerelease disallow leaves those out
""",
    ),
    Scenario(
        name="disallow of what is named",
        index=BOTH,
        roots="a>=2.0a1",
        rules=DISALLOW,
        error="""
Because you require a>=2.0a1 (requirements.in:1) and a>=2.0a1 cannot be taken (pre-release), your requirements cannot be satisfied.
hint: a==2.0rc1 is a pre-release, and --prerelease disallow leaves those out
""",
    ),
    Scenario(name="if-necessary of what has both", index=BOTH, roots="a", rules=NECESSARY, pins="a 1.0"),
    Scenario(name="if-necessary of what has nothing else", index=ONLY, roots="a", rules=NECESSARY, pins="a 1.0rc1"),
    Scenario(
        name="explicit of what is not named",
        index=ONLY,
        roots="a",
        rules=EXPLICIT,
        error="""
Because you require a (requirements.in:1) and no version of a can be taken (pre-release), your requirements cannot be satisfied.
hint: a==1.0rc1 is a pre-release; --prerelease allow takes those
""",
    ),
    Scenario(name="explicit of what is named", index=BOTH, roots="a>=2.0a1", rules=EXPLICIT, pins="a 2.0rc1"),
    Scenario(
        name="a dependency names one, which is not enough",
        index=BEHIND,
        roots="a",
        rules=EXPLICIT,
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b>=2.0a1 and b==2.0b1 cannot be taken (pre-release), your requirements cannot be satisfied.
hint: b==2.0b1 is a pre-release; --prerelease allow takes those
""",
    ),
    Scenario(name="a dependency has no other in its range", index=BEHIND, roots="a", pins="a 1.0, b 2.0b1"),
    Scenario(
        name="a dependency has no other in its range, if-necessary",
        index=BEHIND,
        roots="a",
        rules=NECESSARY,
        pins="a 1.0, b 2.0b1",
    ),
    Scenario(
        name="two dependencies have no other in common",
        index="""
        a 1.0 -> b==2.0a1 | c
        b 1.0
        b 2.0a1
        b 2.0b1
        c 1.0 -> b>=1,<3
        """,
        roots="a",
        pins="a 1.0, b 2.0a1, c 1.0",
    ),
    Scenario(
        name="what releases depend on rules them out",
        index="""
        a 1.0 -> b<2
        a 2.0rc1
        b 1.0
        b 2.0
        """,
        roots="a | b==2.0",
        pins="a 2.0rc1, b 2.0",
    ),
    Scenario(name="a dependency names one, the input too", index=BEHIND, roots="a | b>=2.0a1", pins="a 1.0, b 2.0b1"),
    Scenario(name="a dependency has nothing else", index=BEHIND_ONLY, roots="a", pins="a 1.0, b 1.0b2"),
    Scenario(
        name="a dependency has nothing else, explicit",
        index=BEHIND_ONLY,
        roots="a",
        rules=EXPLICIT,
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b and no version of b can be taken (pre-release), your requirements cannot be satisfied.
hint: b==1.0b2 is a pre-release; --prerelease allow takes those
""",
    ),
    Scenario(
        name="a newer version whose dependency needs a pre-release",
        index="""
        a 1.0 -> b>=1
        a 2.0 -> b>=2.0a1
        b 1.0
        b 2.0a1
        """,
        roots="a",
        pins="a 2.0, b 2.0a1",
    ),
    Scenario(name="dev releases are pre-releases", index="a 1.0\na 1.1.dev1", roots="a", pins="a 1.0"),
    Scenario(name="dev releases when named", index="a 1.0\na 1.1.dev1", roots="a>=1.1.dev0", pins="a 1.1.dev1"),
    Scenario(name="a dev release of a post-release", index="a 1.0\na 1.0.post1.dev2", roots="a", pins="a 1.0"),
    Scenario(name="a release candidate beats beta", index="a 2.0b9\na 2.0rc1\na 2.0a3", roots="a", pins="a 2.0rc1"),
    Scenario(name="a pre-release before its release", index="a 2.0\na 2.0rc1", roots="a", rules=ALLOW, pins="a 2.0"),
    Scenario(
        name="a wildcard has pre-releases",
        index="a 2.0\na 2.1a1\na 3.0",
        roots="a==2.*",
        rules=ALLOW,
        pins="a 2.1a1",
    ),
    Scenario(
        name="a pre-release in a wildcard of other versions",
        index="a 1.0\na 2.0a1",
        roots="a==2.*",
        pins="a 2.0a1",
    ),
    Scenario(
        name="yanked releases make pre-releases necessary",
        index="a 1.0 yanked\na 1.1a1",
        roots="a",
        pins="a 1.1a1",
    ),
    Scenario(name="post-releases are releases", index="a 1.0\na 1.0.post1", roots="a", pins="a 1.0.post1"),
    Scenario(name="a post-release is not equal", index="a 1.0\na 1.0.post1", roots="a==1.0", pins="a 1.0"),
    Scenario(
        name="a post-release is not greater",
        index="a 1.0\na 1.0.post1",
        roots="a>1.0",
        error="""
Because you require a>1.0 (requirements.in:1) and there are only 1.0 and 1.0.post1 of a, your requirements cannot be satisfied.
""",
    ),
    Scenario(name="a post-release is at least", index="a 1.0\na 1.0.post1", roots="a>=1.0", pins="a 1.0.post1"),
    Scenario(
        name="a post-release above a post-release",
        index="a 1.0.post1\na 1.0.post3",
        roots="a>1.0.post1",
        pins="a 1.0.post3",
    ),
    Scenario(
        name="a post-release is in a wildcard", index="a 1.0\na 1.0.post2\na 1.1", roots="a==1.0.*", pins="a 1.0.post2"
    ),
    Scenario(name="a post-release is not at most", index="a 1.0\na 1.0.post1", roots="a<=1.0", pins="a 1.0"),
    Scenario(
        name="== takes the highest local version",
        index="a 1.0\na 1.0+cpu\na 1.0+cu12",
        roots="a==1.0",
        pins="a 1.0+cu12",
    ),
    Scenario(
        name="== of a local version takes that",
        index="a 1.0\na 1.0+cpu\na 1.0+cu12",
        roots="a==1.0+cpu",
        pins="a 1.0+cpu",
    ),
    Scenario(
        name="=== of a local version takes that", index="a 1.0+cpu\na 1.0+cu12", roots="a===1.0+cpu", pins="a 1.0+cpu"
    ),
    Scenario(name="numbers of local versions", index="a 1.0+9\na 1.0+10", roots="a", pins="a 1.0+10"),
    Scenario(
        name="a local version is not greater",
        index="a 1.0\na 1.0+cpu",
        roots="a>1.0",
        error="""
Because you require a>1.0 (requirements.in:1) and there are only 1.0 and 1.0+cpu of a, your requirements cannot be satisfied.
""",
    ),
    Scenario(name="a local version is at least", index="a 1.0+cpu", roots="a>=1.0", pins="a 1.0+cpu"),
    Scenario(name="a local version is at most", index="a 1.0+cpu\na 1.1", roots="a<=1.0", pins="a 1.0+cpu"),
    Scenario(name="!= is of local versions, too", index="a 0.9\na 1.0+cpu", roots="a!=1.0", pins="a 0.9"),
    Scenario(name="!= of one local version", index="a 1.0+cpu\na 1.0+cu12", roots="a!=1.0+cu12", pins="a 1.0+cpu"),
    Scenario(
        name="a local version of one, a plain requirement of the other",
        index="""
        a 1.0 -> t==2.0
        t 2.0
        t 2.0+cpu
        t 2.0+cu12
        """,
        roots="a | t==2.0+cpu",
        pins="a 1.0, t 2.0+cpu",
    ),
    Scenario(
        name="a constraint to a local version",
        index="""
        a 1.0 -> t>=1
        t 2.0
        t 2.0+cpu
        """,
        roots="a",
        constraints="t==2.0+cpu",
        pins="a 1.0, t 2.0+cpu",
    ),
    Scenario(
        name="two local versions are two",
        index="t 2.0+cpu\nt 2.0+cu12",
        roots="t==2.0+cpu | t==2.0+cu12",
        error="""
Because you require t==2.0+cpu (requirements.in:1) and t==2.0+cu12 (requirements.in:2), your requirements cannot be satisfied.
""",
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    scenario.check()
