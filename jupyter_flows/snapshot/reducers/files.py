"""Names that older savepoints refer to: what made files, locks and views again lived here once.

A savepoint names the functions that make its objects, so a function may move, but its old name stays.
"""

from __future__ import annotations

import io
from typing import Any

from .memory import _make_memory_map
from .standard import _get_logger
from .streams import (
    _checked_place,
    _closed_binary_file,
    _closed_text_file,
    _make_temporary_directory,
    _make_temporary_file,
    _open_binary_file,
)
from .threads import (
    _fill,
    _make_bare,
    _make_context_variable,
    _make_future,
    _make_lock,
    _make_queue,
    _make_reentrant_lock,
    _make_thread_pool,
    _set_attributes,
)

__all__ = [
    "_adopt_directory",
    "_closed_binary_file",
    "_closed_text_file",
    "_fill",
    "_get_logger",
    "_make_bare",
    "_make_context_variable",
    "_make_future",
    "_make_lock",
    "_make_memory_map",
    "_make_memoryview",
    "_make_queue",
    "_make_reentrant_lock",
    "_make_temporary_file",
    "_make_thread_pool",
    "_open_binary_file",
    "_open_text_file",
    "_set_attributes",
]


def _adopt_directory(name: str) -> Any:
    return _make_temporary_directory(name, {})


def _open_text_file(name: str, mode: str, position: int, options: tuple[Any, ...]) -> Any:
    _checked_place(name)
    encoding, errors, newline = options
    plain = mode.replace("b", "")
    file = io.open(name, plain, encoding=encoding, errors=errors, newline=newline)  # noqa: SIM115, UP020
    file.seek(position)
    return file


def _make_memoryview(owner: Any, form: str, shape: Any, readonly: bool) -> memoryview:
    view = memoryview(owner)
    if (view.format, view.shape) != (form, shape):
        view = view.cast("B").cast(form, shape)  # type: ignore[call-overload]
    return view.toreadonly() if readonly else view
