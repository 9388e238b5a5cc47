"""Previews of arrays and data frames. Reads a few rows, whatever the size, and runs nobody's `__str__`."""

from __future__ import annotations

import sys
from typing import Any

from .references import module_name

COLUMNS = 12
ROWS = 5
CELL = 24

Description = tuple[tuple[int, ...] | None, str, dict[str, Any]]


def described_array(array: Any) -> Description:
    few = array.ravel()[:ROWS] if array.flags.c_contiguous else array.flat[:ROWS]
    values = ", ".join(str(value)[:CELL] for value in few.tolist()) if array.dtype.kind != "O" else "…"
    more = ", …" if array.size > ROWS and array.dtype.kind != "O" else ""
    return tuple(array.shape), f"{array.dtype} [{values}{more}]", {"dtype": str(array.dtype)}


def described_pandas(value: Any) -> Description | None:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        columns = [label(column) for column in value.columns[:COLUMNS]]
        text = f"{len(value)} rows × {value.shape[1]} columns: {', '.join(columns)}"
        return tuple(value.shape), text, {"columns": _columns(value), "table": _table(value)}
    if isinstance(value, pandas.Series):
        few = ", ".join(cell(one) for one in value.iloc[:ROWS])
        more = ", …" if len(value) > ROWS else ""
        return tuple(value.shape), f"{value.dtype} [{few}{more}]", {"dtype": str(value.dtype)}
    if isinstance(value, pandas.Index):
        few = ", ".join(cell(one) for one in value[:ROWS])
        return tuple(value.shape), f"{value.dtype} [{few}{', …' if len(value) > ROWS else ''}]", {}
    return None


def _columns(frame: Any) -> dict[str, str]:
    return {label(name): str(dtype) for name, dtype in list(frame.dtypes.items())[:100]}


def _table(frame: Any) -> list[list[str]]:
    """The first rows and columns as texts, the names of the columns first."""
    few = frame.iloc[:ROWS, :COLUMNS]
    rows = [[label(name) for name in few.columns]]
    rows += [[cell(value) for value in row] for row in few.itertuples(index=False, name=None)]
    return rows


_PLAIN = frozenset({str, int, float, bool, complex, bytes, type(None)})
_FROM_LIBRARIES = ("numpy", "pandas", "datetime", "decimal", "uuid")


def label(name: Any) -> str:
    """The name of a column or row, bounded."""
    if type(name) is str:
        return name[:CELL]
    if type(name) is tuple:
        return ("(" + ", ".join(label(part) for part in name[:4]) + ")")[:CELL]
    return cell(name)


def cell(value: Any) -> str:
    """A value as a short text; one that would have to say itself what it is, by its class."""
    kind = type(value)
    if kind is int and value.bit_length() > 256:
        return f"<int of {value.bit_length()} bits>"
    if kind in (str, bytes):
        return str(value[:CELL])
    if kind in _PLAIN or module_name(kind).partition(".")[0] in _FROM_LIBRARIES:
        return str(value)[:CELL]
    return f"<{kind.__name__}>"
