"""Compile modules, one after the other, for as long as somebody asks: what `bytecode` starts in the target interpreter.

A script, never imported; it runs on CPython 3.8 and newer and on PyPy, with ``-S``, and imports next to nothing. Each
message, in and out, is four bytes of length and as many bytes. Each that comes in asks for one module: ``time level
path``, without a path for an empty one. Each answer is a whole ``.pyc``; nothing for what does not compile, which is
said only of what the source itself is to blame for; one byte for a file that is not there or has not that time. Before
the first, it says its magic number. Where anything else goes wrong, the process ends: with `NO_MEMORY` if it was that.

The same source makes the same bytes, whatever else was compiled before: hashes are not random (PYTHONHASHSEED), and
`marshal`, which marks what somebody else refers to as well, is called when somebody does.
"""

import sys

sys.path[:] = sys.path[1:]  # our neighbours are no modules to import

import _signal  # type: ignore[import-not-found]  # noqa: E402 - `signal` without its enumerations
import marshal  # noqa: E402
import os  # noqa: E402
import warnings  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types

FILENAME = "<wheelstore>"
CODE = type(compile("", FILENAME, "exec"))
CHANGED = b"?"
NO_MEMORY = 12
PATIENCE = 90  # seconds for a module; for the case that whoever has started us is not there to end us sooner
# What an exception in a compiler says of the source: no other is an answer.
UNFIT = (SyntaxError, ValueError, RecursionError, OverflowError)


def magic_number() -> bytes:
    """What bytecode of this interpreter begins with."""
    try:
        from _frozen_importlib_external import MAGIC_NUMBER
    except ImportError:
        from importlib.util import MAGIC_NUMBER
    return bytes(MAGIC_NUMBER)


def compiled(source: bytes, level: int) -> bytes:
    """The marshalled code of a module; nothing if it does not compile, for its own fault."""
    try:
        code = compile(source, FILENAME, "exec", dont_inherit=True, optimize=level)
        if tells_new_strings(code):  # now, none is new
            first, code = code, compile(source, FILENAME, "exec", dont_inherit=True, optimize=level)
            del first
        # An interned string that nobody else has is marked otherwise than one that some module has, too (before
        # Python 3.12). Here, somebody else has each.
        twin = marshal.loads(marshal.dumps(code))  # noqa: S302
        marshalled = marshal.dumps(code)
        del twin
    except UNFIT:
        return b""
    except MemoryError:
        if has_memory_for(source):  # it is nested deeper than the parser can go
            return b""
        os._exit(NO_MEMORY)
    return marshalled


def has_memory_for(source: bytes) -> bool:
    """Whether there is more memory than any compiler takes for `source` (some 800 times its size)."""
    try:
        bytes((64 << 20) + 1024 * len(source))
    except MemoryError:
        return False
    return True


def tells_new_strings(code: "types.CodeType") -> bool:
    """Whether marshalling tells strings that were new to the interpreter from others.

    A set of constants is another object if one of its strings was new; and the full name of a class in a class or
    function is one object with the name of its code (`co_qualname`) if it was new (Python 3.13).
    """
    name = getattr(code, "co_qualname", "")
    if "." in name and name in code.co_consts:
        return True
    for constant in code.co_consts:
        if isinstance(constant, frozenset) or (isinstance(constant, CODE) and tells_new_strings(constant)):
            return True
    return False


def answer(request: bytes, magic: bytes) -> bytes:
    """The answer to one request."""
    time, level, path = request.split(b" ", 2)
    source = b""
    if path:
        try:
            with open(path, "rb", buffering=0) as stream:
                if int(os.fstat(stream.fileno()).st_mtime) != int(time):
                    return CHANGED
                source = stream.readall()
        except OSError:
            return CHANGED
    marshalled = compiled(source, int(level))
    if not marshalled:
        return b""
    # PEP 552: flags 0 say that the source's time and size follow.
    words = (0, int(time), len(source) & 0xFFFFFFFF)
    return magic + b"".join(word.to_bytes(4, "little") for word in words) + marshalled


def main() -> None:
    """Answer until the input ends."""
    warnings.simplefilter("ignore")
    magic = magic_number()
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    _signal.signal(_signal.SIGALRM, _signal.SIG_DFL)  # a handler would have to wait for the compiler
    content = magic
    while True:
        answers.write(len(content).to_bytes(4, "little") + content)
        answers.flush()
        head = requests.read(4)
        request = requests.read(int.from_bytes(head, "little"))
        if not request:
            return
        _signal.alarm(PATIENCE)
        content = answer(request, magic)
        _signal.alarm(0)


main()
