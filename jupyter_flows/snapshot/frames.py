"""Previews of arrays and data frames. Reads a few rows, whatever the size."""

from __future__ import annotations

import sys
from typing import Any

_COLUMNS = 12
_ROWS = 5
_CELL = 24

Description = tuple[tuple[int, ...] | None, str, dict[str, Any]]


def described_array(array: Any) -> Description:
    few = array.ravel()[:_ROWS] if array.flags.c_contiguous else array.flat[:_ROWS]
    values = ", ".join(str(value)[:_CELL] for value in few.tolist()) if array.dtype.kind != "O" else "…"
    more = ", …" if array.size > _ROWS and array.dtype.kind != "O" else ""
    return tuple(array.shape), f"{array.dtype} [{values}{more}]", {"dtype": str(array.dtype)}


def described_pandas(value: Any) -> Description | None:
    pandas = sys.modules["pandas"]
    if isinstance(value, pandas.DataFrame):
        columns = [str(column)[:_CELL] for column in value.columns[:_COLUMNS]]
        text = f"{len(value)} rows × {value.shape[1]} columns: {', '.join(columns)}"
        return tuple(value.shape), text, {"columns": _columns(value), "table": _table(value)}
    if isinstance(value, pandas.Series):
        few = ", ".join(_cell(one) for one in value.iloc[:_ROWS])
        more = ", …" if len(value) > _ROWS else ""
        return tuple(value.shape), f"{value.dtype} [{few}{more}]", {"dtype": str(value.dtype)}
    if isinstance(value, pandas.Index):
        few = ", ".join(_cell(one) for one in value[:_ROWS])
        return tuple(value.shape), f"{value.dtype} [{few}{', …' if len(value) > _ROWS else ''}]", {}
    return None


def _columns(frame: Any) -> dict[str, str]:
    return {str(name)[:_CELL]: str(dtype) for name, dtype in list(frame.dtypes.items())[:100]}


def _table(frame: Any) -> list[list[str]]:
    """The first rows and columns as texts, the names of the columns first."""
    few = frame.iloc[:_ROWS, :_COLUMNS]
    rows = [[str(name)[:_CELL] for name in few.columns]]
    rows += [[_cell(value) for value in row] for row in few.itertuples(index=False, name=None)]
    return rows


def _cell(value: Any) -> str:
    plain = isinstance(value, str | int | float | bool) or type(value).__module__.startswith(
        ("numpy", "pandas", "datetime", "decimal")
    )
    return str(value)[:_CELL] if plain else f"<{type(value).__name__}>"
