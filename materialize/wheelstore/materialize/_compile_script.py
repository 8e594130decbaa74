"""Compile modules, one after the other, for as long as somebody asks: what `bytecode` starts in the target interpreter.

A script, never imported; it runs on CPython 3.8 and newer and on PyPy, with ``-S``, and imports next to nothing. Each
line of its input asks for one module: ``time level path``, without a path for an empty one. Each answer is four bytes
of length and as many bytes: a whole ``.pyc``; nothing for what does not compile; one byte for a file that is not there
or has not that time. Before the first, it says its magic number.

The same source makes the same bytes, whatever else was compiled before: hashes are not random (PYTHONHASHSEED), and
`marshal`, which marks what somebody else refers to as well, is called when somebody does.
"""

import sys

sys.path[:] = sys.path[1:]  # our neighbours are no modules to import

import marshal  # noqa: E402
import os  # noqa: E402
import warnings  # noqa: E402

TYPE_CHECKING = False
if TYPE_CHECKING:
    import types

FILENAME = "<wheelstore>"
CODE = type(compile("", FILENAME, "exec"))
CHANGED = b"?"


def magic_number() -> bytes:
    """What bytecode of this interpreter begins with."""
    try:
        from _frozen_importlib_external import MAGIC_NUMBER
    except ImportError:
        from importlib.util import MAGIC_NUMBER
    return bytes(MAGIC_NUMBER)


def compiled(source: bytes, level: int) -> bytes:
    """The marshalled code of a module; nothing if it does not compile."""
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
    except Exception:
        return b""
    return marshalled


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


def answer(line: bytes, magic: bytes) -> bytes:
    """The answer to one line."""
    time, level, path = line.rstrip(b"\n").split(b" ", 2)
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
    lines, answers = sys.stdin.buffer, sys.stdout.buffer
    content = magic
    while True:
        answers.write(len(content).to_bytes(4, "little") + content)
        answers.flush()
        line = lines.readline()
        if not line:
            return
        content = answer(line, magic)


main()
