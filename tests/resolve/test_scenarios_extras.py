"""Extras, and dependencies that count only somewhere."""

from __future__ import annotations

import pytest
from support.scenarios import Scenario

EXTRAS = """
a 1.0 -> b | [x] c | [y] d>=1 | [z] d<2
b 1.0
c 1.0
d 1.0
d 2.0
"""

SCENARIOS = (
    Scenario(name="no extra", index=EXTRAS, roots="a", pins="a 1.0, b 1.0"),
    Scenario(name="an extra", index=EXTRAS, roots="a[x]", pins="a[x] 1.0, b 1.0, c 1.0"),
    Scenario(name="two extras at once", index=EXTRAS, roots="a[x,y]", pins="a[x,y] 1.0, b 1.0, c 1.0, d 2.0"),
    Scenario(name="two extras from two lines", index=EXTRAS, roots="a[y] | a[z]", pins="a[y,z] 1.0, b 1.0, d 1.0"),
    Scenario(name="an unknown extra is ignored", index=EXTRAS, roots="a[nothing]", pins="a[nothing] 1.0, b 1.0"),
    Scenario(name="an extra without requirements", index="a 1.0 extras=x", roots="a[x]", pins="a[x] 1.0"),
    Scenario(
        name="an extra's name is normalized",
        index="""
        a 1.0 -> [my_Extra] b
        b 1.0
        """,
        roots="a[My.EXTRA]",
        pins="a[my-extra] 1.0, b 1.0",
    ),
    Scenario(
        name="an extra of a dependency",
        index="""
        a 1.0 -> b[x]
        b 1.0 -> [x] c
        c 1.0
        """,
        roots="a",
        pins="a 1.0, b[x] 1.0, c 1.0",
    ),
    Scenario(
        name="an extra asks for an extra",
        index="""
        a 1.0 -> [x] b[y]
        b 1.0 -> [y] c
        c 1.0
        """,
        roots="a[x]",
        pins="a[x] 1.0, b[y] 1.0, c 1.0",
    ),
    Scenario(
        name="an extra of all the others",
        index="""
        a 1.0 -> [x] b | [y] c | [all] a[x,y]
        b 1.0
        c 1.0
        """,
        roots="a[all]",
        pins="a[all,x,y] 1.0, b 1.0, c 1.0",
    ),
    Scenario(
        name="extras that ask for each other",
        index="""
        a 1.0 -> [x] a[y] | [y] a[x] | [y] b
        b 1.0
        """,
        roots="a[x]",
        pins="a[x,y] 1.0, b 1.0",
    ),
    Scenario(
        name="a cycle through two projects' extras",
        index="""
        a 1.0 -> [x] b[y]
        b 1.0 -> [y] a[x]
        """,
        roots="a[x]",
        pins="a[x] 1.0, b[y] 1.0",
    ),
    Scenario(
        name="the base bounds the extra",
        index="""
        a 1.0 -> [x] c
        a 2.0 -> [x] c
        c 1.0
        """,
        roots="a[x] | a<2",
        pins="a[x] 1.0, c 1.0",
    ),
    Scenario(
        name="the extra bounds the base",
        index="""
        a 1.0 -> [x] c
        a 2.0 -> [x] c
        b 1.0 -> a
        c 1.0
        """,
        roots="b | a[x]<2",
        pins="a[x] 1.0, b 1.0, c 1.0",
    ),
    Scenario(
        name="extra and base from two projects that disagree",
        index="""
        a 1.0 -> c[x]>=2
        b 1.0 -> c<2
        c 1.0
        c 2.0
        """,
        roots="a | b",
        error="""
Because you require a (requirements.in:1) and b (requirements.in:2), a==1.0 depends on c>=2 and b==1.0 depends on c<2, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="what only an extra requires does not count without",
        index="""
        a 1.0 -> [x] missing
        """,
        roots="a",
        pins="a 1.0",
    ),
    Scenario(
        name="an extra that older versions can have",
        index="""
        a 1.0 -> [x] c
        a 2.0 -> [x] c>=2
        c 1.0
        """,
        roots="a[x]",
        pins="a[x] 1.0, c 1.0",
    ),
    Scenario(
        name="an extra whose requirement is missing",
        index="""
        a 1.0 -> [x] missing
        """,
        roots="a[x]",
        error="""
Because you require a[x] (requirements.in:1), a[x]==1.0 depends on missing and missing was not found, your requirements cannot be satisfied.
hint: missing is not in https://index.test/simple/
""",
    ),
    Scenario(
        name="extras that exclude each other",
        index="""
        a 1.0 -> [x] c<2 | [y] c>=2
        c 1.0
        c 2.0
        """,
        roots="a[x,y]",
        error="""
Because you require a[x,y] (requirements.in:1) and a[x,y] (requirements.in:1), a[x]==1.0 depends on c<2 and a[y]==1.0 depends on c>=2, your requirements
  cannot be satisfied.
""",
    ),
    Scenario(
        name="the newest has no such extra any more",
        index="""
        a 1.0 -> [x] c
        a 2.0
        c 1.0
        """,
        roots="a[x]",
        pins="a[x] 2.0",
    ),
    Scenario(
        name="base and extra require the same of one project",
        index="""
        a 1.0 -> c>=1 | [x] c<3
        c 1.0
        c 2.0
        c 3.0
        """,
        roots="a[x]",
        pins="a[x] 1.0, c 2.0",
    ),
    Scenario(
        name="a marker with an extra and a platform",
        index="""
        a 1.0 -> [x] b; sys_platform == "win32" | [x] c; sys_platform == "linux"
        b 1.0
        c 1.0
        """,
        roots="a[x]",
        pins="a[x] 1.0, c 1.0",
    ),
    Scenario(
        name="a marker with either of two extras",
        index="""
        a 1.0 -> b; extra == "x" or extra == "y" | c; extra == "z"
        b 1.0
        c 1.0
        """,
        roots="a[y]",
        pins="a[y] 1.0, b 1.0",
    ),
    Scenario(
        name="a marker with an extra or a platform",
        index="""
        a 1.0 -> b; extra == "x" or sys_platform == "linux"
        b 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="a platform that is another",
        index="""
        a 1.0 -> b; sys_platform == "win32"
        """,
        roots="a",
        pins="a 1.0",
    ),
    Scenario(
        name="a platform that is this",
        index="""
        a 1.0 -> b; sys_platform == "win32"
        b 1.0
        """,
        roots="a",
        platform="windows",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="a Python that is another",
        index="""
        a 1.0 -> b; python_version < "3.11" | c; python_version >= "3.11"
        b 1.0
        c 1.0
        """,
        roots="a",
        pins="a 1.0, c 1.0",
    ),
    Scenario(
        name="Python versions are numbers",
        index="""
        a 1.0 -> b; python_version >= "3.9"
        b 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="two lines for two Pythons",
        index="""
        a 1.0 -> b<2; python_version < "3.13" | b>=2; python_version >= "3.13"
        b 1.0
        b 2.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="a marker with parentheses",
        index="""
        a 1.0 -> b; (os_name == "nt" or os_name == "posix") and platform_machine == "x86_64" | c; os_name == "nt"
        b 1.0
        c 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="a marker with in",
        index="""
        a 1.0 -> b; platform_machine in "x86_64 AMD64" | c; "arm" in platform_machine
        b 1.0
        c 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="a marker with an implementation",
        index="""
        a 1.0 -> b; platform_python_implementation != "PyPy" | c; implementation_name == "pypy"
        b 1.0
        c 1.0
        """,
        roots="a",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="an input's marker that does not hold",
        index="a 1.0\nb 1.0",
        roots='a | b; sys_platform == "win32"',
        pins="a 1.0",
    ),
    Scenario(
        name="inputs' markers that exclude each other",
        index="a 1.0\na 2.0",
        roots='a<2; python_version < "3.13" | a>=2; python_version >= "3.13"',
        pins="a 1.0",
    ),
    Scenario(
        name="an optional requirement conflicts only where it counts",
        index="""
        a 1.0 -> c<2; sys_platform == "win32"
        b 1.0 -> c>=2
        c 1.0
        c 2.0
        """,
        roots="a | b",
        pins="a 1.0, b 1.0, c 2.0",
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    scenario.check()
