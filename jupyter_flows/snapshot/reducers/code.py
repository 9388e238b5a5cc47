"""Code that is no part of a flow's unit: kept by where it comes from, so that another Python can run it.

Three origins, tried in this order, and each only if the code found there is the very code of the function:

- a function that a library made inside of one of its own (a decorator's wrapper): by its module and its
  qualified name there; the installed library's code is what runs after loading, as for all its functions;
- code whose source text is known to `linecache` (methods that attrs writes, functions of a script): by
  that text and the qualified name in it;
- anything else (made by a bare `exec`): as the bytecode of this Python version.
"""

from __future__ import annotations

import importlib.util
import linecache
import marshal
import os
import sys
import types
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ...errors import SavepointError
from ...resumable import is_own
from ..pickling import Saving
from ..registry import builtin

_FUTURE_FLAGS = sum(
    getattr(__import__("__future__"), name).compiler_flag
    for name in __import__("__future__").all_feature_names
)
_MANY_LETTERS = 1 << 20


class CodeOfLibrary:
    """Stands in a pickle for code that a module of a library contains, below its functions."""

    def __init__(self, module: str, code: types.CodeType, number: int) -> None:
        self._facts = module, code.co_qualname, number, code.co_freevars

    def __reduce__(self) -> tuple[Any, ...]:
        return _code_of_library, self._facts


def of_library(module_name: str, code: types.CodeType) -> CodeOfLibrary | None:
    """How code with the globals of this imported module is found there; None where it is not."""
    module = sys.modules.get(module_name)
    if module is None or is_own(module):
        return None
    for number, found in enumerate(_codes_of_module(module_name).get(code.co_qualname, ())):
        if found == code:
            return CodeOfLibrary(module_name, code, number)
    return None


def _code_of_library(module: str, qualname: str, number: int, names: tuple[str, ...]) -> types.CodeType:
    found = _codes_of_module(module).get(qualname, ())
    fitting = [code for code in found if set(code.co_freevars) == set(names)]
    if not fitting:
        raise SavepointError(
            f"{module} has no {qualname} as it was when it was kept: go on with the version that it had then"
        )
    if len(fitting) == len(found) and number < len(found):
        return found[number]
    return fitting[min(number, len(fitting) - 1)]


@lru_cache(maxsize=64)
def _codes_of_module(name: str) -> dict[str, list[types.CodeType]]:
    """All code that a module contains, by qualified name, in the order of the source."""
    try:
        spec = importlib.util.find_spec(name)
        whole = spec.loader.get_code(name)  # type: ignore[union-attr]
    except (ImportError, AttributeError, ValueError, OSError, SyntaxError):
        return {}
    return _by_name(whole) if isinstance(whole, types.CodeType) else {}


def _by_name(whole: types.CodeType) -> dict[str, list[types.CodeType]]:
    found: dict[str, list[types.CodeType]] = {}
    for code in _inside(whole):
        found.setdefault(code.co_qualname, []).append(code)
    return found


def _inside(whole: types.CodeType) -> Iterator[types.CodeType]:
    for constant in whole.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _inside(constant)


@builtin(types.CodeType)
def _reduce_code(code: types.CodeType, _: Saving) -> Any:
    text = _known_text(code.co_filename)
    if text is not None:
        flags = code.co_flags & _FUTURE_FLAGS
        # Shared by all the functions of one text: the same text object, so pickle writes it once.
        for number, found in enumerate(
            _codes_of_text(text, code.co_filename, flags).get(code.co_qualname, ())
        ):
            if found == code:
                name = below_path(code.co_filename)
                return _code_of_text, (text, name, code.co_qualname, number, flags)
    data = marshal.dumps(_without_path(code))
    return _make_code, (importlib.util.MAGIC_NUMBER, sys.version.split()[0], data)


def _known_text(filename: str) -> str | None:
    """The source that `linecache` has for a file, or reads from it: the same object each time."""
    lines = linecache.getlines(filename)
    text = "".join(lines)
    return _one_object(text) if 0 < len(text) <= _MANY_LETTERS else None


@lru_cache(maxsize=256)
def _one_object(text: str) -> str:
    return text


@lru_cache(maxsize=256)
def _codes_of_text(text: str, filename: str, flags: int) -> dict[str, list[types.CodeType]]:
    try:
        return _by_name(compile(text, filename, "exec", flags, dont_inherit=True))
    except (SyntaxError, ValueError):
        return {}


def _code_of_text(text: str, filename: str, qualname: str, number: int, flags: int) -> types.CodeType:
    if filename not in linecache.cache:  # so that tracebacks and `inspect.getsource` find it, and we again
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    found = _codes_of_text(text, filename, flags).get(qualname, ())
    if number >= len(found):
        raise SavepointError(
            f"the source of {qualname} means something else on Python {sys.version.split()[0]}"
        )
    return found[number]


def _make_code(magic: bytes, version: str, data: bytes) -> types.CodeType:
    if magic != importlib.util.MAGIC_NUMBER:
        raise SavepointError(
            f"a function without source was kept as bytecode of Python {version}; define it in a cell or "
            "in a module, or go on with that version"
        )
    code = marshal.loads(data)
    assert isinstance(code, types.CodeType)
    return code


def _without_path(code: types.CodeType) -> types.CodeType:
    """The same code, without the place of the file on this machine."""
    constants = tuple(
        _without_path(constant) if isinstance(constant, types.CodeType) else constant
        for constant in code.co_consts
    )
    return code.replace(co_filename=below_path(code.co_filename), co_consts=constants)


def below_path(filename: str) -> str:
    """A file's name as it can be found from Python's path, here and on another machine (`linecache` does)."""
    found = [entry for entry in sys.path if entry and filename.startswith(entry.rstrip(os.sep) + os.sep)]
    return os.path.relpath(filename, max(found, key=len)) if found else filename
