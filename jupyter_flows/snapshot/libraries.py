"""Previews of what Polars, Arrow, PyTorch, scikit-learn and matplotlib make. Nothing is computed or fetched.

Each function gets an object of the library's own class and returns shape, text and extra, or None where the
object is nothing that it knows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from .frames import CELL, COLUMNS, ROWS, Description, cell, label

_MOST_PARAMETERS = 8


def described_polars(value: Any) -> Description | None:
    polars = sys.modules["polars"]
    if isinstance(value, polars.DataFrame):
        columns = {label(name): str(kind) for name, kind in list(value.schema.items())[:100]}
        few = value[:ROWS, :COLUMNS]
        rows = [[label(name) for name in few.columns], *([cell(one) for one in row] for row in few.rows())]
        return _frame(value.height, value.width, columns, rows)
    if isinstance(value, polars.Series):
        few_values = ", ".join(cell(one) for one in value[:ROWS].to_list())
        more = ", …" if len(value) > ROWS else ""
        return (len(value),), f"{value.dtype} [{few_values}{more}]", {"dtype": str(value.dtype)}
    if isinstance(value, polars.LazyFrame):
        return None, "a query that was not run", {}
    return None


def described_pyarrow(value: Any) -> Description | None:
    arrow = sys.modules["pyarrow"]
    if isinstance(value, arrow.Table | arrow.RecordBatch):
        columns = {label(field.name): str(field.type)[:CELL] for field in list(value.schema)[:100]}
        few = value.select(list(range(min(COLUMNS, value.num_columns)))).slice(0, ROWS)
        rows = [[cell(one) for one in row] for row in zip(*few.to_pydict().values(), strict=True)]
        return _frame(value.num_rows, value.num_columns, columns, [[*map(label, few.schema.names)], *rows])
    if isinstance(value, arrow.Array | arrow.ChunkedArray):
        few_values = ", ".join(cell(one) for one in value.slice(0, ROWS).to_pylist())
        more = ", …" if len(value) > ROWS else ""
        return (len(value),), f"{value.type} [{few_values}{more}]", {"dtype": str(value.type)}
    return None


def _frame(height: int, width: int, columns: dict[str, str], table: list[list[str]]) -> Description:
    names = ", ".join(list(columns)[:COLUMNS])
    text = f"{height} rows × {width} columns: {names}"
    return (height, width), text, {"columns": columns, "table": table}


def described_torch(value: Any) -> Description | None:
    torch = sys.modules["torch"]
    if isinstance(value, torch.nn.Module):
        count = sum(one.numel() for one in value.parameters())
        return None, f"{type(value).__qualname__}, {count} parameters", {"parameters": count}
    if isinstance(value, torch.Tensor):
        shape, kind = tuple(value.shape), str(value.dtype)
        if value.device.type != "cpu" or value.is_sparse:
            return shape, f"{kind} on {value.device}", {"dtype": kind}
        few = ", ".join(str(one)[:CELL] for one in value.detach().flatten()[:ROWS].tolist())
        more = ", …" if value.numel() > ROWS else ""
        return shape, f"{kind} [{few}{more}]", {"dtype": kind}
    return None


def described_sklearn(value: Any) -> Description | None:
    """An estimator's parameters as they are set, and whether it was fitted: by its attributes alone."""
    base = sys.modules.get("sklearn.base")
    if base is None or not isinstance(value, base.BaseEstimator):
        return None
    own = dict(vars(value))
    fitted = [name for name in own if name.endswith("_") and not name.startswith("_")]
    parameters = {
        label(name): cell(one) for name, one in own.items() if not name.startswith("_") and name not in fitted
    }
    shown = ", ".join(f"{name}={one}" for name, one in list(parameters.items())[:_MOST_PARAMETERS])
    more = ", …" if len(parameters) > _MOST_PARAMETERS else ""
    state = "fitted" if fitted else "not fitted"
    return None, f"{type(value).__qualname__}({shown}{more}), {state}", {"parameters": parameters}


def described_matplotlib(value: Any) -> Description | None:
    figures = sys.modules.get("matplotlib.figure")
    if figures is not None and isinstance(value, figures.Figure):
        width, height = (round(size * value.dpi) for size in value.bbox_inches._points[1])
        titles = [one.get_title()[:CELL] for one in value.axes[:COLUMNS]]
        named = ": " + ", ".join(filter(None, titles)) if any(titles) else ""
        count = len(value.axes)
        return None, f"figure of {width}×{height}, {count} {'axes' if count != 1 else 'plot'}{named}", {}
    axes = sys.modules.get("matplotlib.axes")
    if axes is not None and isinstance(value, axes.Axes):
        title = value.get_title()[:CELL]
        parts = (
            f"{len(value.lines)} lines, {len(value.patches)} patches, {len(value.collections)} collections"
        )
        return None, f"plot {title!r}: {parts}" if title else f"plot: {parts}", {}
    return None


LIBRARIES: dict[str, Callable[[Any], Description | None]] = {
    "polars": described_polars,
    "pyarrow": described_pyarrow,
    "torch": described_torch,
    "sklearn": described_sklearn,
    "matplotlib": described_matplotlib,
}
