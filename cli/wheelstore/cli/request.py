"""What commands are asked to do; built by the front door or by click, the same for both.

On the warm path: imports nothing but `os`, `sys` and named tuples.
"""

from __future__ import annotations

import os
import sys

from wheelstore.store.errors import StoreError
from wheelstore.store.values import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class SyncRequest(NamedTuple):
    """The options of `store sync` (DESIGN contract, "The command line"), defaults applied, paths absolute."""

    locks: tuple[str, ...]
    venv: str
    store: str
    python: str | None = None
    link_mode: str = "auto"
    compile_bytecode: bool | None = None
    optimize: tuple[int, ...] = ()
    require_hashes: bool = False
    reinstall: bool = False
    dry_run: bool = False
    clear: bool = False
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    offline: bool = False
    quiet: int = 0
    verbose: int = 0
    json: bool = False
    progress: bool = True


class NoHome(StoreError):
    """The user has no home directory, in which the store would be."""

    hint = "say with --store or STORE_DIR where the store is"

    def __str__(self) -> str:
        return "this user has no home directory to keep a store in"


def default_store(environ: Mapping[str, str]) -> str:
    """The store's directory: STORE_DIR, else the user's data directory as platformdirs knows it.

    Linux is worked out here, because importing platformdirs takes longer than a sync with nothing to do.

    Raises:
        NoHome: there is neither HOME nor an entry for the user.
    """
    if chosen := environ.get("STORE_DIR"):
        return os.path.abspath(os.path.expanduser(chosen))
    if sys.platform.startswith("linux"):
        data = environ.get("XDG_DATA_HOME", "")
        if not os.path.isabs(data):
            data = os.path.expanduser("~/.local/share")
        if data.startswith("~"):
            raise NoHome
        return os.path.join(data, "wheelstore")
    from platformdirs import user_data_dir

    return user_data_dir("wheelstore", appauthor=False)


class Common(NamedTuple):
    """What every command takes: the store (absolute), where wheels come from, and how much to say."""

    store: str
    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False
    offline: bool = False
    quiet: int = 0
    verbose: int = 0
    json: bool = False
    progress: bool = True


class VenvRequest(NamedTuple):
    """The options of `store venv`; `path` is absolute."""

    path: str
    common: Common
    python: str | None = None
    prompt: str | None = None
    clear: bool = False
    seed: bool = False
    system_site_packages: bool = False
    compile_bytecode: bool | None = None
    optimize: tuple[int, ...] = ()


class AddRequest(NamedTuple):
    """The options of `store add`; `items` are wheels, their URLs, and locks, as given."""

    items: tuple[str, ...]
    common: Common
    python: str | None = None
    require_hashes: bool = False
    compile_bytecode: bool | None = None
    optimize: tuple[int, ...] = ()


class RollbackRequest(NamedTuple):
    """The options of `store rollback`; `to` is the number of a generation, by default the one before the current."""

    venv: str
    common: Common
    to: int | None = None
    dry_run: bool = False


class VerifyRequest(NamedTuple):
    """The options of `store verify`; without `names` of projects it is about the whole store."""

    names: tuple[str, ...]
    common: Common
    repair: bool = False


_Switches = dict[str, tuple[str, object]]
_Values = dict[str, str]

_COMMON_SWITCHES: _Switches = {
    "--no-index": ("no_index", True),
    "--offline": ("offline", True),
    "--no-progress": ("progress", False),
}
_COMMON_VALUES: _Values = {"--store": "store", "--index-url": "index_url", "-i": "index_url"}
_LISTS: _Values = {"--extra-index-url": "extra_index_urls", "--find-links": "find_links", "-f": "find_links"}
_QUIET = {"-q": 1, "--quiet": 1, "-qq": 2}
_MODES = frozenset({"auto", "clone", "hardlink", "copy", "layered", "snapshot"})

_BYTECODE_SWITCHES: _Switches = {
    "--compile-bytecode": ("compile_bytecode", True),
    "--no-compile-bytecode": ("compile_bytecode", False),
}
_BYTECODE_LISTS: _Values = {"--optimize": "optimize"}
_LEVELS = frozenset({"0", "1", "2"})
_YES, _NO = frozenset({"1", "true", "t", "yes", "y", "on"}), frozenset({"0", "false", "f", "no", "n", "off"})

_SYNC_SWITCHES: _Switches = {"--require-hashes": ("require_hashes", True)} | _BYTECODE_SWITCHES
_SYNC_VALUES: _Values = {"--venv": "venv", "--python": "python", "-p": "python", "--link-mode": "link_mode"}
_VENV_SWITCHES: _Switches = {
    "--clear": ("clear", True),
    "-c": ("clear", True),
    "--seed": ("seed", True),
    **_BYTECODE_SWITCHES,
    "--system-site-packages": ("system_site_packages", True),
}
_VENV_VALUES: _Values = {"--python": "python", "-p": "python", "--prompt": "prompt"}


def parse_common_sync(arguments: list[str], environ: Mapping[str, str]) -> SyncRequest | None:
    """The request behind an ordinary ``store sync …``; None for anything that click had better look at."""
    words = _Words("sync", _SYNC_SWITCHES, _SYNC_VALUES)
    if not words.take(arguments) or not words.operands:
        return None
    options = words.options
    options.setdefault("link_mode", environ.get("STORE_LINK_MODE", "auto"))
    if options["link_mode"] not in _MODES or not _settle_bytecode(options, environ):
        return None
    _settle(options, environ)
    options["venv"] = os.path.abspath(str(options.get("venv", ".venv")))
    locks = tuple(os.path.abspath(lock) for lock in words.operands)
    return SyncRequest(locks=locks, **options)  # type: ignore[arg-type]


def parse_common_venv(arguments: list[str], environ: Mapping[str, str]) -> VenvRequest | None:
    """The request behind an ordinary ``store venv …``; None for anything that click had better look at."""
    words = _Words("venv", _VENV_SWITCHES, _VENV_VALUES)
    if not words.take(arguments) or len(words.operands) > 1:
        return None
    options = words.options
    if not _settle_bytecode(options, environ):
        return None
    _settle(options, environ)
    common = Common(**{name: options.pop(name) for name in Common._fields if name in options})  # type: ignore[arg-type]
    path = os.path.abspath(words.operands[0] if words.operands else ".venv")
    return VenvRequest(path=path, common=common, **options)  # type: ignore[arg-type]


class _Words:
    """The words of a command line, sorted into operands and options; the common options may precede the command."""

    def __init__(self, command: str, switches: _Switches, values: _Values) -> None:
        self._command, self._switches, self._values = command, switches, values
        self.operands: list[str] = []
        self.options: dict[str, object] = {}

    def take(self, arguments: list[str]) -> bool:
        """Sort all `arguments`; false if there is one that is not understood here."""
        switches, values, lists = _COMMON_SWITCHES, _COMMON_VALUES, _LISTS
        words = iter(arguments)
        seen_command = False
        for word in words:
            if not word.startswith("-"):
                if seen_command:
                    self.operands.append(word)
                elif word != self._command:
                    return False
                else:
                    seen_command = True
                    switches, values = switches | self._switches, values | self._values
                    lists = lists | _BYTECODE_LISTS
            elif word in switches:
                name, value = switches[word]
                self.options[name] = value
            elif word in _QUIET:
                self.options["quiet"] = int(str(self.options.get("quiet", 0))) + _QUIET[word]
            elif not self._take_value(word, words, values, lists):
                return False
        return seen_command

    def _take_value(self, word: str, words: Iterator[str], values: _Values, lists: _Values) -> bool:
        """Take an option with a value, ``--name value`` or ``--name=value``."""
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if name not in values and name not in lists:
            return False
        if not equals:
            following = next(words, None)
            if following is None or following.startswith("-"):
                return False
            value = following
        if name in lists:
            before = self.options.get(lists[name], ())
            self.options[lists[name]] = (*before, value)  # type: ignore[misc]
        else:
            self.options[values[name]] = value
        return True


def _settle_bytecode(options: dict[str, object], environ: Mapping[str, str]) -> bool:
    """Read the optimisation levels, and apply what the environment says; false if click had better look at it."""
    levels: tuple[str, ...] = options.pop("optimize", ())  # type: ignore[assignment]
    if not _LEVELS.issuperset(levels):
        return False
    if levels:
        options["optimize"] = tuple(map(int, levels))
    said = environ.get("STORE_COMPILE_BYTECODE", "").strip().lower()
    if said in _YES or said in _NO:
        options.setdefault("compile_bytecode", said in _YES)
    return not said or said in _YES or said in _NO


def _settle(options: dict[str, object], environ: Mapping[str, str]) -> None:
    """Make the store's path absolute, and apply what the environment says."""
    store = options.get("store")
    options["store"] = os.path.abspath(os.path.expanduser(str(store))) if store else default_store(environ)
    if environ.get("STORE_PYTHON"):
        options.setdefault("python", environ["STORE_PYTHON"])
