import base64
from pathlib import Path

from wheelstore.resolve.addresses import Login
from wheelstore.resolve.credentials import Credentials, basic


def write_netrc(directory: Path, text: str) -> Path:
    path = directory / "netrc"
    path.write_text(text)
    return path


def test_a_login_from_a_url_serves_its_whole_origin_and_no_other() -> None:
    credentials = Credentials(None)
    assert credentials.learn("https://me:secret@h/simple/") == "https://h/simple/"
    assert credentials.login_for("https://h/files/x.whl") == Login("me", "secret")
    for other in ("http://h/simple/", "https://h:8443/simple/", "https://sub.h/simple/"):
        assert credentials.login_for(other) is None


def test_of_several_logins_for_one_origin_the_nearest_path_wins() -> None:
    credentials = Credentials(None)
    credentials.learn("https://a:1@h/team-a/simple/")
    credentials.learn("https://b:2@h/team-b/simple/")
    assert credentials.login_for("https://h/team-b/files/x.whl") == Login("b", "2")
    assert credentials.login_for("https://h/team-a/simple/x/") == Login("a", "1")


def test_netrc_serves_a_host_on_every_port(tmp_path: Path) -> None:
    credentials = Credentials(write_netrc(tmp_path, "machine h login me password secret\n"))
    assert credentials.login_for("https://h:8443/x") == Login("me", "secret")
    assert credentials.login_for("https://other/x") is None


def test_netrc_may_have_a_default(tmp_path: Path) -> None:
    credentials = Credentials(
        write_netrc(tmp_path, "machine h login me password secret\ndefault login you password known\n")
    )
    assert credentials.login_for("https://other/x") == Login("you", "known")


def test_a_url_beats_netrc(tmp_path: Path) -> None:
    credentials = Credentials(write_netrc(tmp_path, "machine h login me password secret\n"))
    credentials.learn("https://you:known@h/simple/")
    assert credentials.login_for("https://h/x") == Login("you", "known")


def test_a_netrc_that_cannot_be_read_has_no_logins(tmp_path: Path) -> None:
    assert Credentials(tmp_path / "missing").login_for("https://h/x") is None
    assert Credentials(write_netrc(tmp_path, "machine h lgin me")).login_for("https://h/x") is None
    assert Credentials(tmp_path).login_for("https://h/x") is None


def test_a_header_is_basic_authentication_in_utf_8() -> None:
    assert basic(Login("mé", "p:w")) == "Basic " + base64.b64encode("mé:p:w".encode()).decode()
    credentials = Credentials(None)
    assert credentials.header_for("https://h/x") is None
    credentials.learn("https://me:secret@h/")
    assert credentials.header_for("https://h/x") == basic(Login("me", "secret"))
