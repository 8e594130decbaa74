"""Bytecode for a whole environment, made by its own interpreter.

A module has its blob's time, so what is compiled here stays valid for as long as the module is the same.
"""

from __future__ import annotations

import os
import subprocess

from wheelstore.materialize.interpreter import Interpreter, InterpreterFailed


def compile_environment(root: str, interpreter: Interpreter) -> None:
    """Compile what has no valid bytecode yet, on all processors; modules that do not compile are passed over.

    Raises:
        InterpreterFailed: the environment's interpreter cannot be started.
    """
    name = "python.exe" if interpreter.windows else "python"
    python = os.path.join(root, interpreter.scripts, name)
    sites = dict.fromkeys(os.path.join(root, site) for site in (interpreter.purelib, interpreter.platlib))
    command = [
        python,
        "-I",
        "-m",
        "compileall",
        "-q",
        "-q",
        "-j",
        "0",
        *(site for site in sites if os.path.isdir(site)),
    ]
    try:
        # Its status says whether all modules compiled, and there are always some, such as templates, that do not.
        subprocess.run(command, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    except OSError as error:
        raise InterpreterFailed(python, f"cannot be started: {error.strerror or error}") from None
