"""What a person sees of a variable without loading it: type, shape, a short text, its parts.

No code of the flow runs for this, so no `__repr__` of its classes is called, and nothing walks further into a
container than what is shown.
"""

from __future__ import annotations

import datetime
import decimal
import pathlib
import sys
import types
import uuid
from collections.abc import Iterable
from typing import Any

from ..model import VariableView
from ..model.sayable import sayable, sayable_inside
from . import parts
from .libraries import LIBRARIES
from .placeholder import Placeholder, facts
from .references import module_name

_TEXT = 160
_ITEMS = 6
_DEPTH = 2
_SAY_THEMSELVES = frozenset(
    {
        *(datetime.date, datetime.datetime, datetime.time, datetime.timedelta, datetime.timezone),
        *(decimal.Decimal, uuid.UUID, pathlib.PosixPath, pathlib.WindowsPath, pathlib.PurePosixPath),
    }
)


def readable_scopes(names: Iterable[str]) -> dict[str, str]:
    """ "0 handler" -> "handler"; where a function has several frames they keep their numbers."""
    scopes = dict.fromkeys(name.partition("/")[0] for name in names)
    plain = {scope: scope.partition(" ")[2] if scope[:1].isdigit() else scope for scope in scopes}
    taken = list(plain.values())
    return {scope: name if taken.count(name) == 1 else scope for scope, name in plain.items()}


def view(
    scope: str,
    name: str,
    value: Any,
    digest: str,
    size: int,
    missing: str | None = None,
    kept: parts.Kept | None = None,
) -> VariableView:
    """Arguments: `size` in bytes; `missing`, why the variable or a part of it was not kept; `kept`, what is
    known of the parts, so that two views tell which of them changed."""
    try:
        shape, text, extra = _described(value)
        extra |= parts.digests(value, kept) if kept is not None else {}
    except KeyboardInterrupt:
        raise
    except BaseException:  # a library's object that is not what it seems must not cost the savepoint
        shape, text, extra = None, f"<{type_name(value)}>", {}
    return VariableView(
        scope=scope,
        name=name,
        type=sayable(type_name(value)),
        text=sayable(text[:_TEXT]),
        shape=shape,
        bytes=size,
        digest=digest,
        missing=missing,
        extra=sayable_inside(extra),
    )


def type_name(value: Any) -> str:
    if type(value) is Placeholder:
        return facts(value)[1]
    kind = type(value)
    name = str(type.__dict__["__qualname__"].__get__(kind))
    module = module_name(kind)
    if module in ("builtins", "__main__"):
        return name
    if module.partition(".")[0] in ("pandas", "numpy", "polars"):
        return f"{module.partition('.')[0]}.{name}"
    return f"{module}.{name}"


def _described(value: Any) -> tuple[tuple[int, ...] | None, str, dict[str, Any]]:
    library = module_name(type(value)).partition(".")[0]
    if library == "pandas" and "pandas" in sys.modules:
        from .frames import described_pandas

        found = described_pandas(value)
        if found is not None:
            return found
    if library == "numpy" and isinstance(value, sys.modules["numpy"].ndarray):
        from .frames import described_array

        return described_array(value)
    if library in LIBRARIES and library in sys.modules:
        found = LIBRARIES[library](value)
        if found is not None:
            return found
    shape = (len(value),) if type(value) in (list, tuple, dict, set, frozenset, bytes, bytearray) else None
    return shape, short_text(value), {}


def short_text(value: Any, depth: int = _DEPTH) -> str:
    """Like `repr`, but bounded, and without calling anybody's `__repr__`."""
    kind = type(value)
    if kind in (int, float, complex, bool, type(None)):
        return (
            repr(value)
            if kind is not int or value.bit_length() < 256
            else f"<int of {value.bit_length()} bits>"
        )
    if kind in (str, bytes, bytearray):
        return repr(value) if len(value) <= _TEXT else repr(value[: _TEXT - 20]) + "…"
    if kind in (list, tuple, set, frozenset):
        return _sequence_text(value, kind, depth)
    if kind is dict:
        items = [f"{short_text(k, 0)}: {short_text(v, depth - 1)}" for k, v in _first(dict.items(value))]
        return "{" + ", ".join(items) + (", …" if len(value) > _ITEMS else "") + "}" if depth else "{…}"
    if isinstance(value, types.FunctionType):
        return f"<function {value.__qualname__}>"
    if isinstance(value, type):
        return f"<class {value.__qualname__}>"
    if isinstance(value, types.ModuleType):
        return f"<module {types.ModuleType.__getattribute__(value, '__name__')}>"
    if kind is Placeholder:
        return repr(value)
    if kind in _SAY_THEMSELVES:
        return repr(value)
    return f"<{type_name(value)}>"


def _sequence_text(value: Any, kind: type[Any], depth: int) -> str:
    brackets: dict[Any, tuple[str, str]] = {
        list: ("[", "]"),
        tuple: ("(", ")"),
        set: ("{", "}"),
        frozenset: ("frozenset({", "})"),
    }
    before, after = brackets[kind]
    if not value:
        return repr(value)
    if not depth:
        return f"{before}…{after}"
    items = ", ".join(short_text(item, depth - 1) for item in _first(value))
    more = ", …" if len(value) > _ITEMS else ""
    comma = "," if kind is tuple and len(value) == 1 else ""
    return f"{before}{items}{more}{comma}{after}"


def _first(values: Iterable[Any]) -> list[Any]:
    return [value for value, _ in zip(values, range(_ITEMS), strict=False)]
