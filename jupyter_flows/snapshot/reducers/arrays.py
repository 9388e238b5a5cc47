"""NumPy arrays: memory outside of the stream, views that stay views, and pandas, which shares in its own way.

A view is kept as its owner and its place in it, so that writing through either end is seen at the other
after loading too. Pandas' blocks are no such views: frames share memory until one of them is written to
(copy on write), and a restored frame knows nothing of the others; so blocks and indexes get memory of their
own, and equal columns share chunks instead.
"""

from __future__ import annotations

import sys
from typing import Any

from ..memories import read_memory
from ..pickling import BUFFER_BYTES, Saving
from ..registry import builtin

# Where extension arrays and indexes of pandas keep their NumPy arrays.
_PANDAS_ATTRIBUTES = ("_ndarray", "_data", "_mask", "_codes", "_left", "_right")


@builtin("numpy.ndarray")
def _reduce_array(array: Any, saving: Saving) -> Any:
    owner = array.base
    if owner is not None and id(array) not in saving.private:
        if type(owner).__name__ == "DummyArray":  # what as_strided puts between a view and its owner
            owner = owner.base
        if type(owner) is type(array) and _is_memory(owner) and array.size:
            return _reduce_view(array, owner)
        if type(owner) is bytearray and array.size:
            return _reduce_view(array, owner)
    if array.dtype.hasobject:
        return NotImplemented
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    facts = (_kind(array.dtype), array.shape, order, array.flags.writeable)
    is_contiguous = array.flags.c_contiguous or array.flags.f_contiguous
    if array.nbytes < BUFFER_BYTES or not is_contiguous:
        return _make_small_array, (array.tobytes(order), *facts)
    flat: Any = array.reshape(-1, order=order)
    line_bytes = array.nbytes // array.shape[0 if order == "C" else -1] if array.ndim > 1 else 0
    number = saving.keep_memory(array, _bytes_of(flat), line_bytes)
    return _make_array, (number, *facts)


def _kind(dtype: Any) -> Any:
    """A plain dtype by its name: pickled, it would come back as another object than everybody's."""
    return dtype.str if dtype.isbuiltin == 1 and dtype.metadata is None and not dtype.hasobject else dtype


def _bytes_of(flat: Any) -> memoryview:
    return memoryview(flat.view("u1"))


def _is_memory(owner: Any) -> bool:
    return owner.base is None and (owner.flags.c_contiguous or owner.flags.f_contiguous)


def _reduce_view(array: Any, owner: Any) -> Any:
    numpy = sys.modules["numpy"]
    start = numpy.frombuffer(owner, "u1").ctypes.data if type(owner) is bytearray else owner.ctypes.data
    offset = array.ctypes.data - start
    return _make_view, (owner, offset, array.shape, array.strides, _kind(array.dtype), array.flags.writeable)


def _make_array(number: int, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool) -> Any:
    import numpy

    made = numpy.empty(shape, dtype, order)
    read_memory(number, _bytes_of(made.reshape(-1, order=order)))
    made.flags.writeable = writeable
    return made


def _make_small_array(data: bytes, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool) -> Any:
    import numpy

    made = numpy.ndarray(shape, dtype, data, order=order).copy(order)
    made.flags.writeable = writeable
    return made


def _make_view(
    owner: Any, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], dtype: Any, writeable: bool
) -> Any:
    import numpy

    dtype = numpy.dtype(dtype)
    if dtype.hasobject:
        flat = owner.reshape(-1, order="A")
        made = numpy.lib.stride_tricks.as_strided(flat[offset // dtype.itemsize :], shape, strides)
    elif isinstance(owner, numpy.ndarray) and not owner.flags.c_contiguous:
        made = numpy.ndarray(shape, dtype, owner.T, offset, strides)
    else:
        made = numpy.ndarray(shape, dtype, owner, offset, strides)
    if not writeable:
        made.flags.writeable = False
    return made


@builtin("pandas._libs.internals.Block", subclasses=True)
def _reduce_block(block: Any, saving: Saving) -> Any:
    _keep_private(block.values, saving)
    return NotImplemented


@builtin("pandas.core.indexes.base.Index", subclasses=True)
def _reduce_index(index: Any, saving: Saving) -> Any:
    _keep_private(getattr(index, "_data", None), saving)
    return NotImplemented


def _keep_private(values: Any, saving: Saving) -> None:
    saving.private[id(values)] = values
    for name in _PANDAS_ATTRIBUTES:
        inner = getattr(values, name, None)
        if inner is not None and id(inner) not in saving.private:
            saving.private[id(inner)] = inner
            if type(inner).__name__ != "ndarray":
                _keep_private(inner, saving)


@builtin("numpy.memmap")
def _reduce_memory_map(array: Any, _: Saving) -> Any:
    if array.filename is None or type(array.base).__name__ != "mmap":
        return NotImplemented  # a part of a map, or one without a file: kept as a copy
    order = "C" if array.flags.c_contiguous else "F"
    array.flush()
    arguments = (str(array.filename), array.dtype, array.mode, array.offset, array.shape, order)
    return _open_memory_map, arguments


def _open_memory_map(
    filename: str, dtype: Any, mode: str, offset: int, shape: tuple[int, ...], order: Any
) -> Any:
    import numpy

    mode = "r+" if mode == "w+" else mode
    return numpy.memmap(filename, dtype, mode, offset, shape, order)  # type: ignore[call-overload]
