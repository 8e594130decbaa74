from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from wheelstore.cli.configuration import (
    CommandLine,
    Configuration,
    default_index_url,
    index_options,
    proxies_of,
    read_configuration,
    transport_options,
)
from wheelstore.cli.pip_files import ConfigurationError, Surroundings, configuration_files
from wheelstore.resolve.indexes import IndexOptions, Strategy
from wheelstore.resolve.requirements_options import LockOptions
from wheelstore.resolve.transport import TransportOptions

USER, LEGACY, SITE = "/home/me/.config/pip/pip.conf", "/home/me/.pip/pip.conf", "/venv/pip.conf"
MACHINE, XDG, CHOSEN = "/etc/pip.conf", "/etc/xdg/pip/pip.conf", "/chosen.conf"


Files = Mapping[str, str | bytes]


def around(files: Files | None = None, /, *, platform: str = "linux", **environ: str) -> Surroundings:
    contents = {path: text.encode() if isinstance(text, str) else text for path, text in (files or {}).items()}
    home, prefix, cwd = (
        ("C:\\Users\\me", "C:\\venv", "C:\\work") if platform == "win32" else ("/home/me", "/venv", "/work")
    )
    return Surroundings(environ, home, prefix, platform, cwd, contents.get)


def read(files: Files | None = None, /, **environ: str) -> Configuration:
    return read_configuration(around(files, **environ))


def test_nothing_configured_is_empty() -> None:
    assert read() == Configuration(netrc="/home/me/.netrc")


@pytest.mark.parametrize(
    ("platform", "environ", "places"),
    [
        ("linux", {}, (XDG, MACHINE, LEGACY, USER, SITE)),
        (
            "linux",
            {"XDG_CONFIG_DIRS": "/a:/b:relative", "XDG_CONFIG_HOME": "/c", "PIP_CONFIG_FILE": CHOSEN},
            ("/a/pip/pip.conf", "/b/pip/pip.conf", MACHINE, LEGACY, "/c/pip/pip.conf", SITE, CHOSEN),
        ),
        ("linux", {"PIP_CONFIG_FILE": "/dev/null"}, ()),
        ("darwin", {}, ("/Library/Application Support/pip/pip.conf", LEGACY, USER, SITE)),
        (
            "win32",
            {"APPDATA": "C:\\Users\\me\\AppData\\Roaming"},
            (
                "C:\\ProgramData\\pip\\pip.ini",
                "C:\\Users\\me\\pip\\pip.ini",
                "C:\\Users\\me\\AppData\\Roaming\\pip\\pip.ini",
                "C:\\venv\\pip.ini",
            ),
        ),
        ("win32", {"PIP_CONFIG_FILE": "nul"}, ()),
    ],
)
def test_pips_files_are_found_where_pip_looks(platform: str, environ: dict[str, str], places: tuple[str, ...]) -> None:
    assert configuration_files(around(platform=platform, **environ)) == places


def test_a_chosen_file_that_exists_replaces_the_users() -> None:
    assert configuration_files(around({CHOSEN: ""}, PIP_CONFIG_FILE=CHOSEN)) == (XDG, MACHINE, SITE, CHOSEN)


def test_the_macs_own_place_replaces_the_common_one() -> None:
    support = "/home/me/Library/Application Support/pip/pip.conf"
    assert configuration_files(around({support: ""}, platform="darwin"))[2] == support


def test_later_files_win_setting_by_setting() -> None:
    order = (XDG, MACHINE, LEGACY, USER, SITE)
    files = {path: f"[global]\nproxy = {path}\n" for path in order}
    for path in reversed(order):
        configured = read(files)
        assert configured.proxy == path
        assert configured.files == tuple(each for each in order if each in files)
        del files[path]
    both = read({MACHINE: "[global]\nretries = 2\nproxy = a", USER: "[global]\nproxy = b"})
    assert (both.retries, both.proxy) == (2, "b")


def test_the_install_section_is_stronger_than_global_wherever_it_stands() -> None:
    configured = read({MACHINE: "[install]\nproxy = a\n", USER: "[global]\nproxy = b\n[download]\nproxy = c\n"})
    assert configured.proxy == "a"


def test_names_may_be_spelled_as_options_or_variables() -> None:
    configured = read(
        {USER: "[global]\nIndex_URL = https://a/simple\n--extra-index-url = https://b\ndefault-timeout = 3"}
    )
    assert configured.index_url == "https://a/simple"
    assert configured.pip_extra_index_urls == ("https://b",)
    assert configured.timeout == 3.0


def test_an_empty_value_says_nothing_but_takes_a_weaker_files_away() -> None:
    files = {MACHINE: "[global]\nproxy = a\nretries = 2", USER: "[global]\nproxy ="}
    configured = read(files, PIP_RETRIES="")
    assert (configured.proxy, configured.retries) == (None, 2)


def test_lists_are_split_at_white_space() -> None:
    configured = read(
        {USER: "[global]\nextra-index-url =\n    https://a/simple\n    https://b/simple\nfind-links = /x  ~/y z\n"},
        PIP_TRUSTED_HOST="one two:8443",
    )
    assert configured.pip_extra_index_urls == ("https://a/simple", "https://b/simple")
    assert configured.find_links == ("/x", "/home/me/y", "/work/z")
    assert configured.trusted_hosts == ("one", "two:8443")


def test_variables_of_ours_beat_pips_and_those_beat_files() -> None:
    files = {USER: "[global]\nindex-url = https://file\nfind-links = /file\nextra-index-url = https://file-extra"}
    configured = read(
        files,
        PIP_INDEX_URL="https://pip",
        PIP_FIND_LINKS="/pip",
        STORE_INDEX_URL="https://store",
        STORE_NO_INDEX="",
    )
    assert configured.index_url == "https://store"
    assert configured.find_links == ("/pip",)
    assert configured.pip_extra_index_urls == ("https://file-extra",)
    assert not configured.no_index


def test_our_variables() -> None:
    configured = read(
        STORE_DIR="~/store",
        STORE_OFFLINE="1",
        STORE_HTTP_TIMEOUT="2.5",
        STORE_HTTP_RETRIES="0",
        STORE_CERT="ca.pem",
        STORE_CLIENT_CERT="/me.pem",
        STORE_PROXY="http://proxy",
        STORE_EXTRA_INDEX_URL="https://a https://b",
        STORE_TRUSTED_HOST="h",
        STORE_INDEX_STRATEGY="unsafe-best-match",
        STORE_REQUIRE_HASHES="yes",
        NETRC="/my/netrc",
    )
    assert configured == Configuration(
        store="/home/me/store",
        offline=True,
        timeout=2.5,
        retries=0,
        cert="/work/ca.pem",
        client_cert="/me.pem",
        proxy="http://proxy",
        extra_index_urls=("https://a", "https://b"),
        trusted_hosts=("h",),
        index_strategy="unsafe-best-match",
        require_hashes=True,
        netrc="/my/netrc",
    )


def test_what_is_not_pips_is_not_taken_from_pip() -> None:
    configured = read({USER: "[global]\ndir = /x\noffline = 1"}, PIP_DIR="/y", PIP_OFFLINE="1", PIP_INDEX_STRATEGY="z")
    assert configured == read({USER: ""})


@pytest.mark.parametrize(
    ("said", "value"), [("1", True), ("Yes", True), ("on", True), ("0", False), ("off", False), ("n", False)]
)
def test_flags_are_read_as_pip_reads_them(said: str, *, value: bool) -> None:
    assert read(PIP_NO_INDEX=said).no_index is value


@pytest.mark.parametrize(
    ("environ", "cert"),
    [
        ({"STORE_CERT": "/s", "PIP_CERT": "/p", "SSL_CERT_FILE": "/o"}, "/s"),
        ({"PIP_CERT": "/p", "SSL_CERT_FILE": "/o"}, "/p"),
        ({"SSL_CERT_FILE": "/o", "REQUESTS_CA_BUNDLE": "/r"}, "/o"),
        ({"SSL_CERT_FILE": "", "REQUESTS_CA_BUNDLE": "/r", "CURL_CA_BUNDLE": "/c"}, "/r"),
        ({"CURL_CA_BUNDLE": "/c"}, "/c"),
    ],
)
def test_ca_bundles(environ: dict[str, str], cert: str) -> None:
    assert read(**environ).cert == cert


def test_a_file_beats_the_common_variables_for_ca_bundles() -> None:
    assert read({USER: "[global]\ncert = /f"}, SSL_CERT_FILE="/o").cert == "/f"


@pytest.mark.parametrize(
    ("files", "environ", "text"),
    [
        ({}, {"PIP_NO_INDEX": "maybe"}, "PIP_NO_INDEX: no-index is yes or no, not 'maybe'"),
        ({}, {"STORE_HTTP_TIMEOUT": "soon"}, "STORE_HTTP_TIMEOUT: timeout is a number of seconds, not 'soon'"),
        ({USER: "[global]\nretries = few"}, {}, f"{USER}: retries is a whole number, not 'few'"),
        ({USER: "index-url = x"}, {}, f"{USER}: it is no INI file"),
        ({USER: b"[global]\nproxy = \xff"}, {}, f"{USER}: it is not UTF-8"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_line(files: Any, environ: dict[str, str], text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(files, **environ)
    assert str(caught.value).startswith(text)
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_a_byte_order_mark_and_comments_are_no_trouble() -> None:
    assert read({USER: "\ufeff# mine\n[global]\n; too\nproxy = p\n"}).proxy == "p"


def options(
    configured: Configuration, command: CommandLine | None = None, lock: LockOptions | None = None
) -> IndexOptions:
    return index_options(configured, command or CommandLine(), lock, around())


def test_ours_come_before_the_default_and_pips_extra_indexes_after() -> None:
    files = {USER: "[global]\nextra-index-url = https://pip\nindex-url = https://default"}
    assert options(read(files)).index_urls == ("https://default", "https://pip")
    assert options(read(files, STORE_EXTRA_INDEX_URL="https://store")).index_urls == (
        "https://store",
        "https://default",
    )
    command = CommandLine(extra_index_urls=("https://x",))
    assert options(read(files), command).index_urls == ("https://x", "https://default", "https://pip")


def test_without_any_word_the_default_index_is_asked() -> None:
    assert options(Configuration()).index_urls == (default_index_url(),)
    assert default_index_url().startswith("https://")
    assert default_index_url().endswith("/simple/")


def test_the_command_line_beats_the_lock_and_the_lock_the_configuration() -> None:
    configured = Configuration(index_url="https://configured")
    lock = LockOptions(index_url="https://lock")
    assert options(configured).index_urls == ("https://configured",)
    assert options(configured, lock=lock).index_urls == ("https://lock",)
    assert options(configured, CommandLine(index_url="https://command"), lock).index_urls == ("https://command",)


def test_lists_add_up_the_strongest_first() -> None:
    found = options(
        Configuration(index_url="i", extra_index_urls=("https://c", "https://l"), find_links=("/c",)),
        CommandLine(extra_index_urls=("https://x",), find_links=("x", "~/y")),
        LockOptions(extra_index_urls=("https://l",), find_links=("l",)),
    )
    assert found.index_urls == ("https://x", "https://l", "https://c", "/work/i")
    assert found.find_links == ("/work/x", "/home/me/y", "/work/l", "/c")


@pytest.mark.parametrize(
    ("configured", "command", "lock"),
    [
        (Configuration(no_index=True), CommandLine(index_url="https://command"), None),
        (Configuration(), CommandLine(no_index=True), LockOptions(index_url="https://lock")),
        (Configuration(index_url="https://configured"), CommandLine(), LockOptions(no_index=True)),
    ],
)
def test_no_index_holds_wherever_it_is_said(configured: Configuration, command: CommandLine, lock: LockOptions) -> None:
    found = options(configured, command, lock)
    assert found == IndexOptions(no_index=True)


def test_the_strategy_is_one_of_uvs() -> None:
    assert options(Configuration()).strategy is Strategy.FIRST_INDEX
    configured = Configuration(index_strategy="unsafe-first-match")
    assert options(configured).strategy is Strategy.FIRST_MATCH
    assert options(configured, CommandLine(index_strategy="first-index")).strategy is Strategy.FIRST_INDEX
    with pytest.raises(ConfigurationError, match="unsafe-best-match"):
        options(Configuration(index_strategy="best"))


def test_the_transport_knows_the_credentials_of_every_location() -> None:
    configured = Configuration(
        index_url="https://me:secret@a/simple",
        find_links=("https://you:secret@b/links", "/c"),
        cert="/ca.pem",
        timeout=3.0,
        retries=1,
        trusted_hosts=("h",),
        proxies={"https": "http://proxy"},
        netrc="/netrc",
    )
    command = CommandLine(trusted_hosts=("x", "h"), offline=True)
    lock = LockOptions(trusted_hosts=("l",))
    found = transport_options(configured, command, lock, options(configured))
    assert found == TransportOptions(
        logins=("https://me:secret@a/simple", "https://you:secret@b/links"),
        cert=Path("/ca.pem"),
        timeout=3.0,
        retries=1,
        trusted_hosts=("x", "h", "l"),
        proxies={"https": "http://proxy"},
        netrc=Path("/netrc"),
        offline=True,
    )
    assert "secret" not in repr(configured) + repr(CommandLine(index_url="https://me:secret@a"))


def test_without_configuration_the_transports_own_defaults_hold() -> None:
    assert transport_options(Configuration(), CommandLine(), None, IndexOptions()) == TransportOptions()


@pytest.mark.parametrize(
    ("environ", "proxies"),
    [
        ({"HTTPS_PROXY": "a", "no_proxy": "x,y", "OTHER": "z", "PIP_PROXY": "p"}, {"https": "a", "no": "x,y"}),
        ({"HTTPS_PROXY": "a", "https_proxy": "b"}, {"https": "b"}),
        ({"HTTPS_PROXY": "a", "https_proxy": ""}, {}),
        ({"HTTP_PROXY": "a", "REQUEST_METHOD": "GET"}, {}),
        ({"http_proxy": "a", "REQUEST_METHOD": "GET"}, {"http": "a"}),
    ],
)
def test_proxies_of_the_environment(environ: dict[str, str], proxies: dict[str, str]) -> None:
    assert proxies_of(environ) == proxies


def test_reading_imports_little() -> None:
    script = (
        "import sys; from wheelstore.cli.configuration import Surroundings, read_configuration;"
        "read_configuration(Surroundings({}, '/h', '/p', 'linux', '/', lambda path: None));"
        "print(*sys.modules)"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert not {"configparser", "distlib", "httpx", "sqlite3", "packaging", "click"} & set(loaded)
