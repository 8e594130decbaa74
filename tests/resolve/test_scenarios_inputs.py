"""What the inputs change: constraints, overrides, excludes, indexes, and sources besides an index."""

from __future__ import annotations

import pytest
from support.scenarios import Scenario

from wheelstore.resolve.indexes import Strategy
from wheelstore.resolve.problem import Rules

PAIR = """
a 1.0 -> b
a 2.0 -> b>=2
b 1.0
b 2.0
b 3.0
"""
TWO = """
a 1.0
b 1.0
@second
a 2.0
c 1.0
"""
URL = "https://files.test/b-1.0-py3-none-any.whl"
WITH = "https://files.test/w-1.0-py3-none-any.whl"
DIRECT = f"""
a 1.0 -> b>=1
b 3.0
@direct
b 1.0 url={URL} -> c
b 2.0 url=https://files.test/b-2.0-py3-none-any.whl
z 1.0 url=https://files.test/z-1.0-py3-none-any.whl -> b @ {URL}
@index
c 1.0
y 1.0
y 2.0 -> b @ {URL}
"""

SCENARIOS = (
    Scenario(name="a constraint narrows", index=PAIR, roots="a", constraints="b<3", pins="a 2.0, b 2.0"),
    Scenario(name="a constraint brings nothing", index=PAIR, roots="b", constraints="a==1.0", pins="b 3.0"),
    Scenario(
        name="a constraint to something that is missing",
        index=PAIR,
        roots="b",
        constraints="nothing==1.0",
        pins="b 3.0",
    ),
    Scenario(name="a constraint makes go back", index=PAIR, roots="a", constraints="b<2", pins="a 1.0, b 1.0"),
    Scenario(name="two constraints", index=PAIR, roots="a", constraints="b<3 | b!=2.0", pins="a 1.0, b 1.0"),
    Scenario(
        name="a constraint with a marker",
        index=PAIR,
        roots="a",
        constraints='b<2; sys_platform == "win32"',
        pins="a 2.0, b 3.0",
    ),
    Scenario(
        name="a constraint against a requirement",
        index=PAIR,
        roots="b>=2",
        constraints="b<2",
        error="""
Because you require b>=2 (requirements.in:1) and you constrain b<2 (constraints.txt:1), your requirements cannot be satisfied.
hint: requirements.in:1 and constraints.txt:1 leave no version of b: change one of the two
""",
    ),
    Scenario(
        name="a constraint against a dependency",
        index=PAIR,
        roots="a==2.0",
        constraints="b<2",
        error="""
Because you require a==2.0 (requirements.in:1) and you constrain b<2 (constraints.txt:1), and a==2.0 depends on b>=2, your requirements cannot be satisfied.
""",
    ),
    Scenario(name="an override", index=PAIR, roots="a", overrides="b==1.0", pins="a 2.0, b 1.0"),
    Scenario(name="an override of what is asked for", index=PAIR, roots="b>=3", overrides="b<2", pins="b 1.0"),
    Scenario(name="an override brings nothing", index=PAIR, roots="b", overrides="a==1.0", pins="b 3.0"),
    Scenario(
        name="an override with a marker that holds",
        index=PAIR,
        roots="a",
        overrides='b==1.0; sys_platform == "linux"',
        pins="a 2.0, b 1.0",
    ),
    Scenario(
        name="an override with a marker that does not",
        index=PAIR,
        roots="a",
        overrides='b==1.0; sys_platform == "win32"',
        pins="a 2.0",
    ),
    Scenario(
        name="an override of what a marker leaves out",
        index='a 1.0 -> b>=2; sys_platform == "win32"\nb 1.0',
        roots="a",
        overrides="b",
        pins="a 1.0, b 1.0",
    ),
    Scenario(
        name="an override does not bring an extra's dependency",
        index="a 1.0 -> [x] b>=2\nb 1.0",
        roots="a",
        overrides="b",
        pins="a 1.0",
    ),
    Scenario(
        name="an override of an extra's dependency",
        index="a 1.0 -> [x] b>=2\nb 1.0",
        roots="a[x]",
        overrides="b",
        pins="a[x] 1.0, b 1.0",
    ),
    Scenario(
        name="an override of another extra's dependency",
        index="a 1.0 -> [x] b | [y] c\nb 1.0\nb 2.0\nc 1.0",
        roots="a[y]",
        overrides="b==1.0",
        pins="a[y] 1.0, c 1.0",
    ),
    Scenario(
        name="an override to nothing that exists",
        index=PAIR,
        roots="a",
        overrides="b==9",
        error="""
Because you require a (requirements.in:1), all versions of a depend on b==9 and there are only 1.0, 2.0 and 3.0 of b, your requirements cannot be satisfied.
""",
    ),
    Scenario(name="an excluded dependency", index=PAIR, roots="a", excludes="b", pins="a 2.0"),
    Scenario(
        name="an excluded dependency that is missing",
        index="a 1.0 -> missing",
        roots="a",
        excludes="Missing",
        pins="a 1.0",
    ),
    Scenario(name="no dependencies", index=PAIR, roots="a", rules=Rules(no_dependencies=True), pins="a 2.0"),
    Scenario(
        name="no dependencies of an extra", index=PAIR, roots="a[x]", rules=Rules(no_dependencies=True), pins="a[x] 2.0"
    ),
    Scenario(
        name="names that are not normalized",
        index="My.Pack_age 1.0 -> Oth_er\noth.ER 1.0",
        roots="my-PACK.age",
        pins="my-pack-age 1.0, oth-er 1.0",
    ),
    Scenario(name="a version that is none", index="a 1.0\na 2.0 file=a-oops-py3-none-any.whl", roots="a", pins="a 1.0"),
    Scenario(
        name="a file of something else", index="a 1.0\na 2.0 file=b-2.0-py3-none-any.whl", roots="a", pins="a 1.0"
    ),
    Scenario(
        name="old spellings of versions", index="a 1.0\na 1.1-1 sdist\na 1.01.a1 sdist", roots="a", pins="a 1.1.post1"
    ),
    Scenario(name="nothing is asked for", index="a 1.0", roots="", pins=""),
    Scenario(name="the same twice", index=PAIR, roots="b>1 | b<3", pins="b 2.0"),
    Scenario(name="the first index has it", index=TWO, roots="a", pins="a 1.0", locations="a index"),
    Scenario(name="only the second index has it", index=TWO, roots="c", pins="c 1.0", locations="c second"),
    Scenario(
        name="the first index has it, but not so",
        index=TWO,
        roots="a>1",
        error="""
Because you require a>1 (requirements.in:1) and there is only a==1.0, your requirements cannot be satisfied.
hint: a is in https://second.test/simple/, too, but only the first index that has it was asked; STORE_INDEX_STRATEGY=unsafe-best-match lets any index answer
""",
    ),
    Scenario(
        name="the best of all", index=TWO, roots="a", strategy=Strategy.BEST_MATCH, pins="a 2.0", locations="a second"
    ),
    Scenario(
        name="the first match", index=TWO, roots="a", strategy=Strategy.FIRST_MATCH, pins="a 1.0", locations="a index"
    ),
    Scenario(
        name="the first match is the second's",
        index=TWO,
        roots="a>1",
        strategy=Strategy.FIRST_MATCH,
        pins="a 2.0",
        locations="a second",
    ),
    Scenario(
        name="the same version in both",
        index="a 1.0\n@second\na 1.0",
        roots="a",
        strategy=Strategy.BEST_MATCH,
        pins="a 1.0",
        locations="a index",
    ),
    Scenario(
        name="an index of its own",
        index=TWO,
        roots="a | b",
        rules=Rules(pinned_indexes={"a": "https://second.test/simple/"}),
        pins="a 2.0, b 1.0",
        locations="a second, b index",
    ),
    Scenario(
        name="a page of links comes first",
        index="a 1.0\n@links\na 1.0\na 0.9",
        roots="a",
        pins="a 1.0",
        locations="a links",
    ),
    Scenario(
        name="a page of links and an index", index="a 1.1\n@links\na 1.0", roots="a", pins="a 1.1", locations="a index"
    ),
    Scenario(name="a URL", index=DIRECT, roots=f"b @ {URL}", pins="b 1.0, c 1.0"),
    Scenario(name="a URL serves others, too", index=DIRECT, roots=f"a | b @ {URL}", pins="a 1.0, b 1.0, c 1.0"),
    Scenario(
        name="a URL against a version",
        index=DIRECT,
        roots=f"a | b>=3 | b @ {URL}",
        error="""
Because you require b>=3 (requirements.in:2) and there is only b==1.0, your requirements cannot be satisfied.
""",
    ),
    Scenario(
        name="a URL against a constraint",
        index=DIRECT,
        roots=f"b @ {URL}",
        constraints="b>=2",
        error="""
Because you require b @ https://files.test/b-1.0-py3-none-any.whl (requirements.in:1) and you constrain b>=2 (constraints.txt:1), and there is only b==1.0,
  your requirements cannot be satisfied.
hint: requirements.in:1 and constraints.txt:1 leave no version of b: change one of the two
""",
    ),
    Scenario(
        name="two URLs",
        index=DIRECT,
        roots=f"b @ {URL} | b @ {URL.replace('1.0', '2.0')}",
        error="""
b is asked for from https://files.test/b-1.0-py3-none-any.whl and from https://files.test/b-2.0-py3-none-any.whl
hint: a project has one source in an environment; --override decides which
""",
    ),
    Scenario(
        name="a URL of a URL's",
        index=DIRECT,
        roots="z @ https://files.test/z-1.0-py3-none-any.whl",
        pins="b 1.0, c 1.0, z 1.0",
    ),
    Scenario(name="a URL that an index brings", index=DIRECT, roots="y", pins="y 1.0"),
    Scenario(
        name="a URL that an index brings and the input allows",
        index=DIRECT,
        roots=f"y | b @ {URL}",
        pins="b 1.0, c 1.0, y 2.0",
    ),
    Scenario(
        name="a URL that an index brings with an extra",
        index="x 1.0 -> | [e] c\nx 2.0 -> | [e] c | b @ " + URL + " ; extra == 'e'\nc 1.0\nb 3.0",
        roots="x[e]",
        pins="c 1.0, x[e] 1.0",
    ),
    Scenario(
        name="an extra with a URL that nobody asks for",
        index="x 1.0\nx 2.0 -> | [e] c | b @ " + URL + " ; extra == 'e'\nc 1.0\nb 3.0",
        roots="x",
        pins="x 2.0",
    ),
    Scenario(
        name="only an extra with a URL",
        index="x 2.0 -> | [e] c | b @ " + URL + " ; extra == 'e'\nc 1.0\nb 3.0",
        roots="x[e]",
        error="""
Because you require x[e] (requirements.in:1) and x==2.0 cannot be taken (depends on a URL that was not asked for), your requirements cannot be satisfied.
hint: x==2.0 depends on b @ https://files.test/b-1.0-py3-none-any.whl ; extra == 'e'; to allow that, require it yourself
""",
    ),
    Scenario(
        name="a URL for another Python",
        index=f"@direct\nb 1.0 url={URL} python>=3.13",
        roots=f"b @ {URL}",
        error="""
Because you require b @ https://files.test/b-1.0-py3-none-any.whl (requirements.in:1) and b==1.0 cannot be taken (requires another Python), your requirements
  cannot be satisfied.
hint: b==1.0 requires Python >=3.13; this is for Python 3.12.0 (--python)
""",
    ),
    Scenario(
        name="extras of a URL, the second time it is mentioned",
        index=f"@direct\nw 1.0 url={WITH} -> b @ {URL} ; extra == 'e'\nb 1.0 url={URL}\n@index\nb 3.0",
        roots=f"w @ {WITH} | w[e] @ {WITH}",
        pins="b 1.0, w[e] 1.0",
    ),
    Scenario(
        name="extras of a URL, by an extra of its own",
        index=f"@direct\nw 1.0 url={WITH} -> [all] w[e] | b @ {URL} ; extra == 'e'\nb 1.0 url={URL}\n@index\nb 3.0",
        roots=f"w[all] @ {WITH}",
        pins="b 1.0, w[all,e] 1.0",
    ),
    Scenario(
        name="an override replaces a URL that is not there",
        index=f"@direct\nw 1.0 url={WITH} -> b @ {URL}\n@index\nb 3.0",
        roots=f"w @ {WITH}",
        overrides="b>=3",
        pins="b 3.0, w 1.0",
    ),
    Scenario(
        name="what is excluded is not looked at",
        index=f"@direct\nw 1.0 url={WITH} -> b @ {URL}\n@index\nb 3.0",
        roots=f"w @ {WITH}",
        excludes="b",
        pins="w 1.0",
    ),
    Scenario(
        name="a URL in a constraint",
        index=DIRECT,
        roots="a",
        constraints=f"b @ {URL}",
        pins="a 1.0, b 1.0, c 1.0",
    ),
    Scenario(
        name="only versions with a URL",
        index=DIRECT,
        roots="y>1",
        error="""
Because you require y>1 (requirements.in:1) and y==2.0 cannot be taken (depends on a URL that was not asked for), your requirements cannot be satisfied.
hint: y==2.0 depends on b @ https://files.test/b-1.0-py3-none-any.whl; to allow that, require it yourself
""",
    ),
    Scenario(name="a URL and an older pin", index=DIRECT, roots=f"b @ {URL}", preferred="b 3.0", pins="b 1.0, c 1.0"),
    Scenario(
        name="an override with a URL", index=DIRECT, roots="a", overrides=f"b @ {URL}", pins="a 1.0, b 1.0, c 1.0"
    ),
    Scenario(
        name="a URL to a pre-release",
        index="a 1.0 -> b\nb 1.0\n@direct\nb 2.0a1 url=https://files.test/b-2.0a1-py3-none-any.whl",
        roots="a | b @ https://files.test/b-2.0a1-py3-none-any.whl",
        pins="a 1.0, b 2.0a1",
    ),
    Scenario(
        name="nobody answers",
        index="a 1.0\na 2.0 down",
        roots="a",
        error="""
https://files.test/index/a-2.0-py3-none-any.whl: HTTP 503
""",
    ),
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name)
def test_scenario(scenario: Scenario) -> None:
    scenario.check()
