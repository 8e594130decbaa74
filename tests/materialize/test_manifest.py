from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wheelstore.materialize.distribution import Installed
from wheelstore.materialize.manifest import ManifestWheel, manifest_content, manifest_identity, manifest_wheels
from wheelstore.store.index import WheelRow

names = st.from_regex(r"[a-z][a-z0-9-]{0,8}", fullmatch=True)
wheels = st.builds(
    ManifestWheel,
    names,
    st.sampled_from(["1.0", "2!3.0+local.1"]),
    names,
    st.none() | st.just('{"url": "file:///a\\tb"}'),
)


def installed(wheel: ManifestWheel) -> Installed:
    row = WheelRow(wheel.sha256, "", wheel.name, wheel.version, 0, True, b"", None)
    return Installed(wheel=row, direct_url=wheel.direct_url)


@given(st.lists(wheels, unique=True))
def test_a_manifest_says_what_it_was_made_of(given: list[ManifestWheel]) -> None:
    content = manifest_content(map(installed, given), "identity")
    assert manifest_identity(content) == "identity"
    read = manifest_wheels(content)
    assert sorted(map(repr, read)) == sorted(map(repr, given))
    assert manifest_content(map(installed, read), "identity") == content
