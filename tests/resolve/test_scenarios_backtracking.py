"""Where the newest versions do not go together."""

# explanations as they are

from __future__ import annotations

import pytest
from support.scenarios import Scenario

TOWER = "\n".join(
    [f"a {n}.0 -> b=={n}.0" for n in range(1, 13)]
    + [f"b {n}.0 -> c<{13 - n}" for n in range(1, 13)]
    + ["c 7.0", "c 12.0"]
)
# Each botocore is wanted by one boto3, and aiobotocore lags behind: the shape of a well-known cloud.
CLOUD = "\n".join(
    [f"boto3 1.{n} -> botocore>=1.{n},<1.{n + 1} | s3transfer" for n in range(1, 60)]
    + [f"botocore 1.{n}.{patch} -> urllib3" for n in range(1, 60) for patch in range(3)]
    + [
        f"aiobotocore 2.{n} -> botocore>=1.{3 * n},<1.{3 * n}.2 | [boto3] boto3>=1.{3 * n},<1.{3 * n + 1}"
        for n in range(1, 18)
    ]
    + [f"s3fs 2024.{n} -> aiobotocore~=2.{n} | fsspec==2024.{n}" for n in range(1, 17)]
    + [f"fsspec 2024.{n}" for n in range(1, 20)]
    + ["s3transfer 0.1", "urllib3 1.26", "urllib3 2.2"]
)

# One release of a dependency that no version of a long history admits, but for the first, from before it was declared.
HISTORY = "\n".join(["aws 0.1", *(f"aws 1.{n} -> date<4" for n in range(1, 60)), "date 2.0", "date 4.0"])

SCENARIOS = (
    Scenario(
        name="a long history does not give way to one release",
        index=HISTORY,
        roots="date | aws",
        pins="aws 1.59, date 2.0",
    ),
    Scenario(
        name="one step",
        index="""
        a 1.0 -> c<2
        a 2.0 -> c>=2
        b 1.0 -> c<2
        c 1.0
        c 2.0
        """,
        roots="a | b",
        pins="a 1.0, b 1.0, c 1.0",
    ),
    Scenario(
        name="the second gives way, as the first was asked for first",
        index="""
        a 1.0 -> c<2
        a 2.0 -> c==2
        b 1.0 -> c
        b 2.0 -> c==1
        c 1
        c 2
        """,
        roots="a | b",
        pins="a 2.0, b 1.0, c 2",
    ),
    Scenario(
        name="the other order",
        index="""
        a 1.0 -> c<2
        a 2.0 -> c==2
        b 1.0 -> c
        b 2.0 -> c==1
        c 1
        c 2
        """,
        roots="b | a",
        pins="a 1.0, b 2.0, c 1",
    ),
    Scenario(
        name="a diamond",
        index="""
        a 1.0 -> b | c
        b 1.0 -> d<3
        b 2.0 -> d>=3
        c 1.0 -> d<4
        c 2.0 -> d>=4
        d 2.0
        d 3.0
        d 4.0
        """,
        roots="a",
        pins="a 1.0, b 2.0, c 2.0, d 4.0",
    ),
    Scenario(
        name="a diamond that has to give way",
        index="""
        a 1.0 -> b | c
        b 1.0 -> d<4
        b 2.0 -> d<3
        c 1.0 -> d>=2
        c 2.0 -> d>=3
        d 2.0
        d 3.0
        d 4.0
        """,
        roots="a",
        pins="a 1.0, b 2.0, c 1.0, d 2.0",
    ),
    Scenario(name="many steps", index=TOWER, roots="a | c>=7", pins="a 5.0, b 5.0, c 7.0"),
    Scenario(
        name="to the end",
        index=TOWER,
        roots="a | c>7",
        error="""
Because you require a (requirements.in:1) and c>7 (requirements.in:2), all versions of a depend on b and all versions of b depend on c==7.0, your requirements
  cannot be satisfied.
""",
    ),
    Scenario(name="partly", index=TOWER, roots="a<4 | c", pins="a 3.0, b 3.0, c 7.0"),
    Scenario(
        name="over a missing project",
        index="""
        a 1.0 -> b
        a 2.0 -> missing
        b 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="over a version that was never published",
        index="""
        a 1.0 -> b==1.0
        a 2.0 -> b==2.0
        b 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="over requirements that nobody can read",
        index="""
        a 1.0 -> b
        a 2.0 -> b >> 1
        b 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(name="over metadata that cannot be used", index="a 1.0\na 2.0 broken", roots="a", pins="a 1.0"),
    Scenario(
        name="across an extra",
        index="""
        a 1.0 -> [x] c<2
        a 2.0 -> [x] c>=2
        b 1.0 -> c<2
        c 1.0
        c 2.0
        """,
        roots="a[x] | b",
        pins="a[x] 1.0, b 1.0, c 1.0",
    ),
    Scenario(
        name="an older version requires less",
        index="""
        a 1.0
        a 2.0 -> b>=2
        b 1.0
        """,
        roots="a",
        pins="a 1.0",
    ),
    Scenario(
        name="projects that need each other",
        index="""
        a 1.0 -> b
        b 1.0 -> a
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="a cycle of three that narrows",
        index="""
        a 1.0 -> b
        a 2.0 -> b
        b 1.0 -> c
        c 1.0 -> a<2
        """,
        roots="a",
        pins="a 1.0, b 1.0, c 1.0",
    ),
    Scenario(
        name="a cycle that cannot be",
        index="""
        a 1.0 -> b
        b 1.0 -> a>=2
        """,
        roots="a",
        error="""
Because you require a (requirements.in:1), a==1.0 depends on b, b==1.0 depends on a>=2 and there is only a==1.0, your requirements cannot be satisfied.
""",
    ),
    Scenario(name="a project that needs itself", index="a 1.0 -> a\n", roots="a", pins="a 1.0"),
    Scenario(
        name="a project that needs another version of itself", index="a 1.0\na 2.0 -> a<2", roots="a", pins="a 1.0"
    ),
    Scenario(
        name="two pairs",
        index="""
        a 1.0 -> c==1
        a 2.0 -> c==2
        b 1.0 -> c==1
        b 2.0 -> c==3
        c 1
        c 2
        c 3
        """,
        roots="a | b",
        pins="a 1.0, b 1.0, c 1",
    ),
    Scenario(
        name="deep down",
        index="""
        a 1.0 -> b
        b 1.0 -> c
        c 1.0 -> d
        c 2.0 -> d>=2
        d 1.0 -> e
        d 2.0 -> e>=2
        e 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0, c 1.0, d 1.0, e 1.0",
    ),
    Scenario(
        name="what is undone leaves nothing behind",
        index="""
        a 1.0
        a 2.0 -> b | missing
        b 1.0 -> c
        c 1.0
        """,
        roots="a",
        pins="a 1.0",
    ),
    Scenario(
        name="a cloud",
        index=CLOUD,
        roots="s3fs | boto3 | botocore<1.30",
        pins="aiobotocore 2.9, boto3 1.27, botocore 1.27.1, fsspec 2024.9, s3fs 2024.9, s3transfer 0.1, urllib3 2.2",
    ),
    Scenario(
        name="a cloud with an extra",
        index=CLOUD,
        roots="s3fs>=2024.10 | aiobotocore[boto3] | urllib3<2",
        pins="aiobotocore[boto3] 2.17, boto3 1.51, botocore 1.51.1, fsspec 2024.16, s3fs 2024.16, s3transfer 0.1, urllib3 1.26",
    ),
    Scenario(
        name="a cloud too new",
        index=CLOUD,
        roots="s3fs==2024.16 | boto3>=1.55",
        error="""
Because you require s3fs==2024.16 (requirements.in:1), s3fs==2024.16 depends on aiobotocore~=2.16 and aiobotocore>=2.16 depends on botocore>=1.48.0,<1.48.2 or
  botocore>=1.51.0,<1.51.2, botocore>=1.48.0,<1.48.2 or botocore>=1.51.0,<1.51.2 is needed.
And because you require boto3>=1.55 (requirements.in:2) and boto3>=1.55 depends on botocore>=1.55.0, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="three that cannot be together",
        index="""
        a 1.0 -> d!=1
        b 1.0 -> d!=2
        c 1.0 -> d!=3
        d 1
        d 2
        d 3
        """,
        roots="a | b | c",
        error="""
Because you require b (requirements.in:2) and b==1.0 depends on d!=2, d!=2 is needed. (1)
Because you require c (requirements.in:3) and c==1.0 depends on d!=3, d!=3 is needed.
And because d!=2 is needed (1), you require a (requirements.in:1) and a==1.0 depends on d!=1, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="queens on a board of four",
        index="\n".join(
            f"q{row} {column} -> "
            + " | ".join(
                f"q{other}!={column}" + "".join(f",!={column + step * (other - row)}" for step in (-1, 1))
                for other in range(1, 5)
                if other != row
            )
            for row in range(1, 5)
            for column in range(1, 5)
        )
        .replace(",!=-1", "")
        .replace(",!=-2", "")
        .replace(",!=-3", ""),
        roots="q1 | q2 | q3 | q4",
        pins="q1 3, q2 1, q3 4, q4 2",
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    scenario.check()
