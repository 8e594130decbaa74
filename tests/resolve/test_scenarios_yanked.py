"""Files that were taken back, that came too late, that are for others, or are in a format that is not wanted."""

from __future__ import annotations

import pytest
from support.scenarios import Scenario, all_of

from wheelstore.resolve.problem import Prereleases, Rules

FEBRUARY = 1_706_745_600.0
WIN, LINUX, PY311 = "cp312-cp312-win_amd64", "cp312-cp312-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_17_x86_64"

SCENARIOS = (
    Scenario(name="yanked is passed over", index='a 1.0\na 2.0 yanked="broken"', roots="a", pins="a 1.0"),
    Scenario(name="yanked and pinned", index='a 1.0\na 2.0 yanked="broken"', roots="a==2.0", pins="a 2.0"),
    Scenario(
        name="yanked and pinned by a constraint",
        index="a 1.0\na 2.0 yanked",
        roots="a",
        constraints="a==2.0",
        pins="a 2.0",
    ),
    Scenario(name="yanked and pinned with ===", index="a 1.0\na 2.0 yanked", roots="a===2.0", pins="a 2.0"),
    Scenario(
        name="a wildcard pins nothing",
        index="a 2.0 yanked",
        roots="a==2.*",
        error="""
Because you require a==2.* (requirements.in:1) and a==2.0 cannot be taken (yanked), your requirements cannot be satisfied.
hint: a==2.0 was yanked; a pin of yours (==) takes it
""",
    ),
    Scenario(
        name="all yanked",
        index='a 1.0 yanked="broken"\na 2.0 yanked="worse"',
        roots="a",
        error="""
Because you require a (requirements.in:1) and no version of a can be taken (yanked), your requirements cannot be satisfied.
hint: every version of a was yanked; a pin of yours (==) takes it
""",
    ),
    Scenario(
        name="yanked, and what is asked for is another range",
        index="a 1.0\na 2.0 yanked",
        roots="a>1",
        error="""
Because you require a>1 (requirements.in:1) and a==2.0 cannot be taken (yanked), your requirements cannot be satisfied.
hint: a==2.0 was yanked; a pin of yours (==) takes it
""",
    ),
    Scenario(
        name="yanked and pinned by a dependency only",
        index="""
        a 1.0 -> b==1.0
        b 1.0 yanked="broken"
        b 2.0
        """,
        roots="a",
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b==1.0 and b==1.0 cannot be taken (yanked), your requirements cannot be satisfied.
hint: b==1.0 was yanked (broken); a pin of yours (==) takes it
""",
    ),
    Scenario(
        name="an older version that does not pin what was yanked",
        index="""
        a 1.0 -> b
        a 2.0 -> b==2.0
        b 1.0
        b 2.0 yanked
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(name="one file of a version was yanked", index="a 1.0 sdist\na 1.0 yanked", roots="a", pins="a 1.0"),
    Scenario(
        name="only an unfit wheel is left",
        index=f"a 1.0 {WIN}\na 1.0 yanked",
        roots="a",
        error="""
Because you require a (requirements.in:1) and a==1.0 cannot be taken (no wheel for this platform), your requirements cannot be satisfied.
hint: a==1.0 has only wheels for cp312-cp312-win_amd64, none for this platform (cp312-cp312-linux_x86_64)
""",
    ),
    Scenario(name="a wheel for another platform is passed over", index=f"a 1.0\na 2.0 {WIN}", roots="a", pins="a 1.0"),
    Scenario(
        name="only wheels for another platform",
        index=f"a 1.0 {WIN}\na 2.0 {WIN}",
        roots="a",
        error="""
Because you require a (requirements.in:1) and no version of a can be taken (no wheel for this platform), your requirements cannot be satisfied.
hint: a==2.0 has only wheels for cp312-cp312-win_amd64, none for this platform (cp312-cp312-linux_x86_64)
""",
    ),
    Scenario(
        name="only a wheel for another Python",
        index=f"a 1.0 {PY311}",
        roots="a",
        error="""
Because you require a (requirements.in:1) and a==1.0 cannot be taken (no wheel for this platform), your requirements cannot be satisfied.
hint: a==1.0 has only wheels for cp311-cp311-manylinux_2_17_x86_64, none for this platform (cp312-cp312-linux_x86_64)
""",
    ),
    Scenario(name="the sdist beside a foreign wheel", index=f"a 1.0\na 2.0 {WIN} sdist", roots="a", pins="a 2.0"),
    Scenario(name="a wheel for each platform", index=f"a 1.0 {WIN} {LINUX}", roots="a", pins="a 1.0"),
    Scenario(
        name="the same for windows",
        index=f"a 1.0\na 2.0 {LINUX}\na 3.0 {WIN}",
        roots="a",
        platform="windows",
        pins="a 3.0",
    ),
    Scenario(name="abi3 fits later Pythons", index="a 1.0 cp38-abi3-manylinux_2_17_x86_64", roots="a", pins="a 1.0"),
    Scenario(
        name="a manylinux that is too new",
        index="a 1.0\na 2.0 cp312-cp312-manylinux_2_39_x86_64",
        roots="a",
        pins="a 1.0",
    ),
    Scenario(name="only an sdist", index="a 1.0 sdist -> b\nb 1.0", roots="a", pins="a 1.0, b 1.0"),
    Scenario(name="a newer sdist beats an older wheel", index="a 1.0\na 1.1 sdist", roots="a", pins="a 1.1"),
    Scenario(
        name="a foreign wheel says what the sdist requires",
        index=f"""
        a 1.0 sdist broken
        a 1.0 {WIN} -> b
        b 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="only-binary of all",
        index="a 1.0\na 2.0 sdist",
        roots="a",
        rules=Rules(only_binary=all_of()),
        pins="a 1.0",
    ),
    Scenario(
        name="only-binary of one",
        index="a 1.0\na 2.0 sdist -> b\nb 1.0\nb 2.0 sdist",
        roots="a",
        rules=Rules(only_binary=all_of("b")),
        pins="a 2.0, b 1.0",
    ),
    Scenario(
        name="only-binary of what has no wheel",
        index="a 1.0 sdist",
        roots="a",
        rules=Rules(only_binary=all_of()),
        error="""
Because you require a (requirements.in:1) and a==1.0 cannot be taken (only in a format that was excluded), your requirements cannot be satisfied.
hint: a==1.0 has no wheel, and --only-binary leaves nothing else
""",
    ),
    Scenario(
        name="no-binary of all", index="a 1.0 sdist\na 2.0", roots="a", rules=Rules(no_binary=all_of()), pins="a 1.0"
    ),
    Scenario(
        name="no-binary of one",
        index="a 1.0 sdist -> b\na 2.0 -> b\nb 1.0",
        roots="a",
        rules=Rules(no_binary=all_of("a")),
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="no-binary of what has no sdist",
        index="a 1.0\na 2.0",
        roots="a",
        rules=Rules(no_binary=all_of("a")),
        error="""
Because you require a (requirements.in:1) and no version of a can be taken (only in a format that was excluded), your requirements cannot be satisfied.
hint: a==2.0 has no sdist, and --no-binary leaves nothing else
""",
    ),
    Scenario(
        name="neither",
        index="a 1.0 wheel sdist",
        roots="a",
        rules=Rules(no_binary=all_of(), only_binary=all_of()),
        error="""
Because you require a (requirements.in:1) and a==1.0 cannot be taken (only in a format that was excluded), your requirements cannot be satisfied.
hint: --only-binary and --no-binary together leave nothing of a
""",
    ),
    Scenario(name="requires-python on the page", index="a 1.0\na 2.0 python>=3.13", roots="a", pins="a 1.0"),
    Scenario(
        name="requires-python of another target",
        index="a 1.0\na 2.0 python>=3.13",
        roots="a",
        python="3.13",
        pins="a 2.0",
    ),
    Scenario(
        name="requires-python of all",
        index="a 1.0 python<3\na 2.0 python>=3.13",
        roots="a",
        error="""
Because you require a (requirements.in:1) and no version of a can be taken (requires another Python), your requirements cannot be satisfied.
hint: a==2.0 requires Python >=3.13, and older versions require other ones; this is for Python 3.12.0 (--python)
""",
    ),
    Scenario(name="requires-python of a patch release", index="a 1.0\na 2.0 python>=3.12.4", roots="a", pins="a 1.0"),
    Scenario(
        name="requires-python with an upper bound", index="a 1.0\na 2.0 python>=3.8,<3.12", roots="a", pins="a 1.0"
    ),
    Scenario(name="requires-python that cannot be read", index='a 1.0 "python>=3.9.x"', roots="a", pins="a 1.0"),
    Scenario(
        name="requires-python in the metadata only", index="a 1.0\na 2.0 metadata-python>=3.13", roots="a", pins="a 1.0"
    ),
    Scenario(
        name="requires-python in the only metadata",
        index="a 2.0 metadata-python>=3.13",
        roots="a",
        error="""
Because you require a (requirements.in:1) and a==2.0 cannot be taken (requires another Python), your requirements cannot be satisfied.
hint: a==2.0 requires Python >=3.13; this is for Python 3.12.0 (--python)
""",
    ),
    Scenario(
        name="requires-python of a dependency",
        index="""
        a 1.0 -> b
        a 2.0 -> b>=2
        b 1.0
        b 2.0 python>=3.13
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="requires-python of one file", index="a 1.0 python>=3.13\na 1.0 sdist python>=3.8", roots="a", pins="a 1.0"
    ),
    Scenario(
        name="exclude-newer",
        index="a 1.0 at=2024-01-01\na 2.0 at=2024-02-01\na 3.0 at=2024-03-01",
        roots="a",
        rules=Rules(exclude_newer=FEBRUARY),
        pins="a 1.0",
    ),
    Scenario(
        name="exclude-newer without a time",
        index="a 1.0 at=2024-01-01\na 2.0",
        roots="a",
        rules=Rules(exclude_newer=FEBRUARY),
        pins="a 1.0",
    ),
    Scenario(
        name="exclude-newer of everything",
        index="a 1.0 at=2024-03-01\na 2.0",
        roots="a",
        rules=Rules(exclude_newer=FEBRUARY),
        error="""
Because you require a (requirements.in:1) and no version of a can be taken (published too late), your requirements cannot be satisfied.
hint: a==2.0 does not say when it was published, and --exclude-newer 2024-02-01T00:00:00Z leaves it out
""",
    ),
    Scenario(
        name="exclude-newer of a file",
        index=f"a 1.0 sdist at=2024-01-01\na 1.0 {LINUX} at=2024-03-01",
        roots="a",
        rules=Rules(exclude_newer=FEBRUARY, only_binary=all_of()),
        error="""
Because you require a (requirements.in:1) and a==1.0 cannot be taken (published too late), your requirements cannot be satisfied.
hint: a==1.0 was published at 2024-03-01T00:00:00Z, and --exclude-newer 2024-02-01T00:00:00Z leaves it out
""",
    ),
    Scenario(
        name="exclude-newer of one project",
        index="a 1.0 at=2024-01-01 -> b\na 2.0 at=2024-03-01 -> b\nb 1.0 at=2024-01-01\nb 2.0 at=2024-03-01",
        roots="a",
        rules=Rules(exclude_newer_package={"b": FEBRUARY}),
        pins="a 2.0, b 1.0",
    ),
    Scenario(
        name="exclude-newer, but not of one project",
        index="a 1.0 at=2024-01-01 -> b\na 2.0 at=2024-03-01 -> b\nb 1.0 at=2024-01-01\nb 2.0 at=2024-03-01",
        roots="a",
        rules=Rules(exclude_newer=FEBRUARY, exclude_newer_package={"b": 4e9}),
        pins="a 1.0, b 2.0",
    ),
    Scenario(
        name="every reason together",
        index=f"""
        a 1.0 at=2024-01-01 yanked="broken"
        a 2.0 at=2024-01-01 python>=3.13
        a 3.0 at=2024-01-01 {WIN}
        a 4.0 at=2024-03-01
        a 5.0 at=2024-01-01 sdist
        a 6.0 at=2024-01-01 broken
        a 7.0a1 at=2024-01-01
        a 8.0 at=2024-01-01 -> b @ https://files.test/b-1.0-py3-none-any.whl
        """,
        roots="a",
        rules=Rules(exclude_newer=FEBRUARY, only_binary=all_of(), prereleases=Prereleases.EXPLICIT),
        error="""
Because you require a (requirements.in:1), a==7.0a1 cannot be taken (pre-release), a==1.0 cannot be taken (yanked), a==2.0 cannot be taken (requires another
  Python), a==3.0 cannot be taken (no wheel for this platform), a==4.0 cannot be taken (published too late), a==5.0 cannot be taken (only in a format that was
  excluded), a==6.0 cannot be taken (unusable metadata) and a==8.0 cannot be taken (depends on a URL that was not asked for), your requirements cannot be
  satisfied.
hint: a==7.0a1 is a pre-release; --prerelease allow takes those
a==8.0 depends on b @ https://files.test/b-1.0-py3-none-any.whl; to allow that, require it yourself
a==6.0 has no usable metadata: https://files.test/index/a-6.0-py3-none-any.whl: its metadata is unusable: it has no Version
a==5.0 has no wheel, and --only-binary leaves nothing else
""",
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    scenario.check()
