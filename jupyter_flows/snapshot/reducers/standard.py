"""Objects of the standard library that pickle refuses though all of them can be had back."""

from __future__ import annotations

import argparse
import contextvars
import csv
import ctypes
import functools
import gc
import json
import json.decoder
import json.scanner
import logging
import random
import re
import struct
import sys
import weakref
from typing import Any

from ..pickling import PROTOCOL, Saving
from ..registry import builtin


@builtin(struct.Struct)
def _reduce_struct(subject: struct.Struct, _: Saving) -> Any:
    return struct.Struct, (subject.format,)


@builtin(type(contextvars.Token.MISSING))
def _reduce_missing_of_tokens(_: Any, __: Saving) -> Any:
    return getattr, (contextvars.Token, "MISSING")


class _Suppress:
    """Stands in a pickle for the text that argparse knows by its identity."""

    def __reduce__(self) -> tuple[Any, ...]:
        return getattr, (argparse, "SUPPRESS")


@builtin(argparse.Action, argparse.ArgumentParser, subclasses=True)
def _reduce_of_argparse(subject: Any, _: Saving) -> Any:
    reduced = subject.__reduce_ex__(PROTOCOL)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or type(reduced[2]) is not dict:
        return reduced
    state = {name: _Suppress() if value is argparse.SUPPRESS else value for name, value in reduced[2].items()}
    return (*reduced[:2], state, *reduced[3:])


@builtin(random.SystemRandom)
def _reduce_system_random(_: Any, __: Saving) -> Any:
    return random.SystemRandom, ()


@builtin(re.Match)
def _reduce_match(match: re.Match[Any], _: Saving) -> Any:
    for way in ("search", "match", "fullmatch"):
        for start in (match.pos, match.start()):
            arguments = (match.re, way, match.string, start, match.endpos)
            if _same_match(_find_again(*arguments), match):
                return _find_again, arguments
    raise TypeError("a match that its pattern does not find again cannot be kept: keep its groups")


def _find_again(pattern: re.Pattern[Any], way: str, text: Any, start: int, end: int) -> Any:
    return getattr(pattern, way)(text, start, end)


def _same_match(found: Any, match: re.Match[Any]) -> bool:
    return found is not None and found.regs == match.regs


@builtin(json.JSONDecoder, subclasses=True)
def _reduce_json_decoder(decoder: json.JSONDecoder, _: Saving) -> Any:
    state = {name: value for name, value in decoder.__dict__.items() if name != "scan_once"}
    return _make_bare, (type(decoder),), state, None, None, _set_json_decoder


def _make_bare(cls: Any) -> Any:
    return cls.__new__(cls)


def _set_json_decoder(decoder: Any, state: dict[str, Any]) -> None:
    decoder.__dict__.update(state)
    decoder.scan_once = json.scanner.make_scanner(decoder)


@builtin("_csv.Dialect")
def _reduce_csv_dialect(dialect: Any, _: Saving) -> Any:
    names = "delimiter doublequote escapechar lineterminator quotechar quoting skipinitialspace strict"
    return _make_csv_dialect, ({name: getattr(dialect, name) for name in names.split()},)


def _make_csv_dialect(options: dict[str, Any]) -> Any:
    return csv.writer(_Nowhere(), **options).dialect


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)


@builtin(
    type(sys.version_info), type(sys.flags), type(sys.float_info), type(sys.int_info), type(sys.hash_info)
)
def _reduce_fact_of_python(fact: Any, _: Saving) -> Any:
    """What Python says of itself is asked anew."""
    return getattr, (sys, type(fact).__name__.rpartition(".")[2])


@builtin(type(functools.cmp_to_key(max)))
def _reduce_key(key: Any, _: Saving) -> Any:
    function = next(one for one in gc.get_referents(key) if one is not type(key) and callable(one))
    if hasattr(key, "obj"):
        return _make_key, (function, key.obj)
    return functools.cmp_to_key, (function,)


def _make_key(function: Any, subject: Any) -> Any:
    return functools.cmp_to_key(function)(subject)


@builtin(type(ctypes.c_int * 2))
def _reduce_array_type(cls: Any, _: Saving) -> Any:
    return _make_array_type, (cls._type_, cls._length_)


def _make_array_type(kind: Any, length: int) -> Any:
    return kind * length


@builtin(ctypes.CDLL, subclasses=True)
def _reduce_library(library: Any, _: Saving) -> Any:
    """Loaded again: the handle that it has is an address of this process."""
    kind: Any = library._FuncPtr
    flags = kind._flags_
    options = {
        "use_errno": bool(flags & ctypes._FUNCFLAG_USE_ERRNO),  # type: ignore[attr-defined]
        "use_last_error": bool(flags & ctypes._FUNCFLAG_USE_LASTERROR),  # type: ignore[attr-defined]
    }
    own = {name: value for name, value in vars(library).items() if name not in _OF_LIBRARIES}
    return _make_library, (type(library), library._name, options), own


_OF_LIBRARIES = ("_name", "_handle", "_FuncPtr")


def _make_library(kind: Any, name: str | None, options: dict[str, bool]) -> Any:
    return kind(name, **options)


@builtin("_ctypes.CFuncPtr", "_ctypes.PyCFuncPtr", subclasses=True)
def _reduce_function_of_library(function: Any, _: Saving) -> Any:
    library = next((one for one in (function._objects or {}).values() if isinstance(one, ctypes.CDLL)), None)
    if library is None:
        raise TypeError("ctypes objects containing pointers cannot be pickled")
    declared = {"argtypes": function.argtypes, "restype": function.restype}
    if hasattr(function, "errcheck"):
        declared["errcheck"] = function.errcheck
    return _make_function_of_library, (library, function.__name__), declared, None, None, _declare


def _make_function_of_library(library: Any, name: str) -> Any:
    return library[name]


def _declare(function: Any, declared: dict[str, Any]) -> None:
    for name, value in declared.items():
        if value is not None or name == "restype":
            setattr(function, name, value)


@builtin(weakref.WeakMethod)
def _reduce_weak_method(reference: Any, _: Saving) -> Any:
    method = reference()
    return _make_weak_method, (method,)


class _Gone:
    def method(self) -> None:
        """Of an object that is gone."""


def _make_weak_method(method: Any) -> Any:
    return weakref.WeakMethod(_Gone().method if method is None else method)


@builtin(weakref.finalize)
def _reduce_finalizer(finalizer: Any, _: Saving) -> Any:
    found = finalizer.peek()
    if found is None:
        return _make_dead_finalizer, ()
    subject, function, arguments, keywords = found
    return _make_finalizer, (subject, function, arguments, keywords, finalizer.atexit)


def _make_finalizer(subject: Any, function: Any, arguments: Any, keywords: Any, at_exit: bool) -> Any:
    made: Any = weakref.finalize(subject, function, *arguments, **keywords)
    made.atexit = at_exit
    return made


def _make_dead_finalizer() -> Any:
    made: Any = weakref.finalize(_Gone(), int)
    made.detach()
    return made


@builtin("unittest.mock._Call")
def _reduce_mock_call(call: Any, _: Saving) -> Any:
    # It answers any attribute with a call, __setstate__ too.
    facts = (tuple(call), call._mock_name, call._mock_parent, len(call) == 2, call._mock_from_kall)
    return type(call), facts


# --- logging ------------------------------------------------------------------------------------------


@builtin(logging.Logger, logging.RootLogger)
def _reduce_logger(logger: logging.Logger, _: Saving) -> Any:
    if logger is logging.getLogger():
        name = ""
    elif logging.Logger.manager.loggerDict.get(logger.name) is logger:
        name = logger.name
    else:  # made by hand: it belongs to nobody, its handlers too
        state = {name: value for name, value in logger.__dict__.items() if name not in ("_cache", "manager")}
        return _make_bare, (type(logger),), state, None, None, _set_logger
    return _get_logger, (name, logger.level, logger.propagate, logger.disabled)


def _set_logger(logger: Any, state: dict[str, Any]) -> None:
    logger.__dict__.update(state, _cache={})


def _get_logger(name: str, level: int, propagate: bool, disabled: bool) -> logging.Logger:
    """Handlers belong to the process; level and switches are the flow's."""
    logger = logging.getLogger(name or None)
    logger.setLevel(level)
    logger.propagate, logger.disabled = propagate, disabled
    return logger


@builtin(logging.Handler, subclasses=True)
def _reduce_handler(handler: logging.Handler, _: Saving) -> Any:
    """A handler registers itself, so that it is flushed at the end of the process."""
    reduced = handler.__reduce_ex__(PROTOCOL)
    if not isinstance(reduced, tuple) or len(reduced) < 3 or not isinstance(reduced[2], dict):
        return reduced
    return *reduced[:3], None, None, _set_handler


def _set_handler(handler: Any, state: dict[str, Any]) -> None:
    handler.__dict__.update(state)
    logging._addHandlerRef(handler)  # type: ignore[attr-defined]
