import os
from pathlib import Path

import pytest
from support.stores import SCHEME, SITE, Stock, make_stock, tree_of
from support.wheels import make_wheel

from wheelstore.materialize.distribution import Installed, plan_environment
from wheelstore.materialize.plan import Lift, Plan, changes, pack, unpack
from wheelstore.materialize.shapes import image_of, layer_of, lift_text, shell_of
from wheelstore.materialize.tree import Tree

IMAGE = "ab" * 32
PTH = b"import sys; sys.lifted = True\nsub\n# a remark\n\n/absolute\n"


@pytest.fixture(scope="module")
def stock(tmp_path_factory: pytest.TempPathFactory) -> Stock:
    return make_stock(tmp_path_factory.mktemp("shapes") / "store")


@pytest.fixture(scope="module")
def plan(stock: Stock, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Of a wheel with all kinds of files, and of one with nothing but a module."""
    directory = tmp_path_factory.mktemp("wheels")
    rich = make_wheel(
        directory,
        "rich-one",
        files={"one/__init__.py": b"1\n", "one/nested.pth": b"import os\n", "one.pth": PTH, "one.start": b"one:main\n"},
        entry_points={"console_scripts": {"one": "one:main"}},
        scripts={"plain": b"#!/bin/sh\n"},
        data={"data/share/one.txt": b"data\n", "headers/one.h": b"/* */\n"},
    )
    plain = make_wheel(directory, "plain-one", files={"plain_one.py": b"", "empty.pth": b""})
    return plan_environment([Installed(wheel=stock.add(wheel)) for wheel in (rich, plain)], SCHEME, stock.blobs)


def test_image_and_layer_are_everything_between_them(plan: Plan) -> None:
    image, layer = image_of(plan), layer_of(plan, [SITE], IMAGE)
    lifted = {lift.target for lift in layer.lifts}
    assert image.items().keys() | layer.items().keys() - lifted == plan.items().keys()
    assert not image.scripts
    assert [target for target in layer.targets if target.startswith(SITE)] == []
    assert sorted(layer.targets) == ["bin/plain", "include/site/python3.12/rich-one/one.h", "share/one.txt"]
    assert (layer.scripts, layer.distributions) == (plan.scripts, plan.distributions)


def test_image_and_shell_are_the_environment(plan: Plan, stock: Stock, tmp_path: Path) -> None:
    """Byte for byte: a snapshot of an image, finished, is what a tree of all files is."""
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    for root, steps in ((whole, [plan]), (parts, [image_of(plan)])):
        root.mkdir()
        tree = Tree(root=str(root), final="/x", blobs=stock.store.blobs, mode="hardlink", python="/x/bin/python")
        for step in steps:
            tree.create(step, SITE, processes=1)
    tree.finish(shell_of(plan), SITE)
    assert tree_of(parts) == tree_of(whole)


def test_what_is_not_processed_in_the_image_is_lifted(plan: Plan) -> None:
    blobs = dict(zip(plan.targets, plan.sources, strict=True))
    assert layer_of(plan, [SITE], IMAGE).lifts == [
        Lift(f"{SITE}/_wheelstore-image.pth", "", SITE, IMAGE),
        Lift(f"{SITE}/_wheelstore-lifted-one.pth", blobs[f"{SITE}/one.pth"], SITE, IMAGE),
        Lift(f"{SITE}/_wheelstore-lifted-one.start", blobs[f"{SITE}/one.start"], SITE, IMAGE),
    ]


def test_a_second_site_has_an_image_of_its_own(plan: Plan) -> None:
    """As where platlib is ``lib64``: only directories that something is in are added."""
    lifts = layer_of(plan, ["lib64/site", SITE], IMAGE).lifts
    assert lifts[0].target == f"{SITE}/_wheelstore-image1.pth"


def test_an_environment_without_packages_looks_nowhere() -> None:
    empty = unpack(pack(Plan(("\n", "0\n", "", ""), [], [], [])))
    assert layer_of(empty, [SITE], IMAGE).lifts == []


def test_layers_can_be_packed(plan: Plan) -> None:
    layer = layer_of(plan, [SITE], IMAGE)
    assert unpack(pack(layer)) == layer
    assert unpack(pack(plan)) == plan


def test_another_image_changes_what_leads_to_it(plan: Plan) -> None:
    one, other = layer_of(plan, [SITE], IMAGE), layer_of(plan, [SITE], "cd" * 32)
    found = changes(one, other)
    assert found.written == {lift.target for lift in one.lifts}
    assert (found.removed, found.links) == ([], {})


def test_paths_in_lifted_files_lead_to_where_they_were() -> None:
    assert lift_text(None, "/i/site") == b"/i/site\n"
    assert lift_text(PTH, "/i/site").splitlines() == [
        b"import sys; sys.lifted = True",
        b"/i/site/sub",
        b"# a remark",
        b"",
        b"/absolute",
    ]


def test_code_that_asks_for_its_directory_is_told_the_image() -> None:
    code = b"import sys, os;p = os.path.join(sys._getframe(1).f_locals['sitedir'], *('zope',))\r\n"
    assert lift_text(code, "/i/it's") == b"import sys, os;p = os.path.join(\"/i/it's\", *('zope',))\n"


def test_bytes_that_are_no_text_stay_what_they_are() -> None:
    assert lift_text("\ufeff".encode() + b"\xff\n", "/i") == b"/i/\xff\n"


def test_empty_files_have_a_time_of_their_own(plan: Plan, stock: Stock, tmp_path: Path) -> None:
    """The same in every environment, so that bytecode compiled once is valid for each."""
    times = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        tree = Tree(root=str(tmp_path / name), final="/x", blobs=stock.store.blobs, mode="hardlink", python="/x/p")
        tree.create(plan, SITE, processes=1)
        times.add(os.stat(tmp_path / name / SITE / "plain_one.py").st_mtime_ns)
    assert len(times) == 1
