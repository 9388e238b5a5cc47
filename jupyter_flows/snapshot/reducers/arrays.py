"""NumPy arrays: memory outside of the stream, views that stay views, and pandas, which shares in its own way.

A view is kept as its owner and its place in it, so that writing through either end is seen at the other
after loading too. Pandas' blocks are no such views: frames share memory until one of them is written to
(copy on write), and a restored frame knows nothing of the others; so blocks and indexes get memory of their
own, and equal columns share chunks instead.
"""

from __future__ import annotations

import array
import os
import sys
from typing import Any

from ...errors import SavepointError
from ..memories import read_memory
from ..pickling import BUFFER_BYTES, Saving
from ..registry import builtin

# Where extension arrays and indexes of pandas keep their NumPy arrays.
_PANDAS_ATTRIBUTES = ("_ndarray", "_data", "_mask", "_codes", "_left", "_right")


@builtin("numpy.ndarray", subclasses=True)
def _reduce_array(subject: Any, saving: Saving) -> Any:
    kind = type(subject)
    if kind.__reduce__ is not sys.modules["numpy"].ndarray.__reduce__:
        return NotImplemented  # it knows how: masked arrays, and what libraries derive
    own = getattr(subject, "__dict__", None)
    reduced = _reduce_memory_or_view(subject, kind, saving)
    if own and reduced is not NotImplemented:  # NumPy itself drops what a subclass's array carries
        return *reduced, own, None, None, _set_attributes
    return reduced


def _reduce_memory_or_view(subject: Any, kind: Any, saving: Saving) -> Any:
    owner = subject.base
    if owner is not None and id(subject) not in saving.private and subject.size:
        owner = _owner(owner)
        if owner is not None:
            return _reduce_view(subject, owner)
    if subject.dtype.hasobject:
        return NotImplemented
    order = "F" if subject.flags.f_contiguous and not subject.flags.c_contiguous else "C"
    facts: tuple[Any, ...] = (_kind(subject.dtype), subject.shape, order, subject.flags.writeable)
    if kind.__module__ != "numpy" or kind.__name__ != "ndarray":
        facts = (*facts, kind)
    is_contiguous = subject.flags.c_contiguous or subject.flags.f_contiguous
    if subject.nbytes < BUFFER_BYTES or not is_contiguous:
        return _make_small_array, (subject.tobytes(order), *facts)
    numpy = sys.modules["numpy"]
    flat: Any = subject.view(numpy.ndarray).reshape(-1, order=order)
    line_bytes = subject.nbytes // subject.shape[0 if order == "C" else -1] if subject.ndim > 1 else 0
    number = saving.keep_memory(subject, _bytes_of(flat), line_bytes)
    return _make_array, (number, *facts)


def _kind(dtype: Any) -> Any:
    """A plain dtype by its name: pickled, it would come back as another object than everybody's."""
    return dtype.str if dtype.isbuiltin == 1 and dtype.metadata is None and not dtype.hasobject else dtype


@builtin("numpy.dtype", subclasses=True)
def _reduce_dtype(dtype: Any, _: Saving) -> Any:
    numpy = sys.modules["numpy"]
    if dtype.isbuiltin == 1 and dtype.metadata is None and numpy.dtype(dtype.str) is dtype:
        return numpy.dtype, (dtype.str,)
    return NotImplemented


def _bytes_of(flat: Any) -> memoryview:
    return memoryview(flat.view("u1"))


def _owner(owner: Any) -> Any:
    """What the memory of a view belongs to, where the view can be made again from it; else None."""
    if type(owner).__name__ == "DummyArray":  # what as_strided puts between a view and its owner
        owner = owner.base
    if type(owner) is memoryview:  # what frombuffer puts between an array and its buffer
        owner = owner.obj
        return owner if type(owner) in (bytearray, array.array) else None
    if isinstance(owner, sys.modules["numpy"].ndarray):
        is_memory = owner.base is None and type(owner).__name__ != "memmap"
        return owner if is_memory and (owner.flags.c_contiguous or owner.flags.f_contiguous) else None
    if type(owner) is bytearray:
        return owner
    torch = sys.modules.get("torch")
    is_tensor = torch is not None and isinstance(owner, torch.Tensor)
    return owner.untyped_storage() if is_tensor else None


def _address(owner: Any) -> int:
    if hasattr(owner, "data_ptr"):  # a storage of PyTorch
        return int(owner.data_ptr())
    numpy = sys.modules["numpy"]
    whole = owner if isinstance(owner, numpy.ndarray) else numpy.frombuffer(owner, "u1")
    return int(whole.ctypes.data)


def _reduce_view(view: Any, owner: Any) -> Any:
    numpy = sys.modules["numpy"]
    offset = view.ctypes.data - _address(owner)
    facts: tuple[Any, ...] = (offset, view.shape, view.strides, _kind(view.dtype), view.flags.writeable)
    if type(view) is not numpy.ndarray:
        facts = (*facts, type(view))
    return _make_view, (owner, *facts)


def _make_array(
    number: int, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool, kind: Any = None
) -> Any:
    import numpy

    dtype = numpy.dtype(dtype)
    made = numpy.ndarray.__new__(kind or numpy.ndarray, shape, dtype, order=order)
    read_memory(number, _bytes_of(made.view(numpy.ndarray).reshape(-1, order=order)))
    made.flags.writeable = writeable
    return made


def _make_small_array(
    data: bytes, dtype: Any, shape: tuple[int, ...], order: Any, writeable: bool, kind: Any = None
) -> Any:
    import numpy

    made = numpy.ndarray(shape, dtype, data, order=order).copy(order)
    if kind is not None:
        own = numpy.ndarray.__new__(kind, shape, made.dtype, order=order)
        own.view(numpy.ndarray)[...] = made
        made = own
    made.flags.writeable = writeable
    return made


def _make_view(
    owner: Any,
    offset: int,
    shape: tuple[int, ...],
    strides: tuple[int, ...],
    dtype: Any,
    writeable: bool,
    kind: Any = None,
) -> Any:
    import numpy

    dtype = numpy.dtype(dtype)
    cls = kind or numpy.ndarray
    if hasattr(owner, "data_ptr"):  # a storage of PyTorch: through a tensor, which NumPy takes as the owner
        torch = sys.modules["torch"]
        flat = torch.empty(0, dtype=torch.uint8).set_(owner).numpy()
        return numpy.lib.stride_tricks.as_strided(
            flat[offset:].view(dtype), shape, strides, writeable=writeable
        )
    if dtype.hasobject:
        flat = owner.reshape(-1, order="A")
        made = numpy.lib.stride_tricks.as_strided(flat[offset // dtype.itemsize :], shape, strides)
        made = made if kind is None else made.view(kind)
    elif isinstance(owner, numpy.ndarray) and not owner.flags.c_contiguous:
        made = numpy.ndarray.__new__(cls, shape, dtype, owner.T, offset, strides)
    else:
        made = numpy.ndarray.__new__(cls, shape, dtype, owner, offset, strides)
    if not writeable:
        made.flags.writeable = False
    return made


def _set_attributes(subject: Any, state: dict[str, Any]) -> None:
    subject.__dict__.update(state)


@builtin("numpy.ma.core.MaskedArray", "numpy.ma.MaskedArray")
def _reduce_masked_array(masked: Any, _: Saving) -> Any:
    reduced = masked.__reduce__()  # which forgets whether the mask is hard
    return *reduced[:2], (reduced[2], masked.hardmask), None, None, _set_masked_array


def _set_masked_array(masked: Any, state: tuple[Any, bool]) -> None:
    own, is_hard = state
    masked.__setstate__(own)
    masked._hardmask = is_hard


@builtin("numpy.flatiter")
def _reduce_flat_iterator(iterator: Any, _: Saving) -> Any:
    return _make_flat_iterator, (iterator.base, iterator.index)


def _make_flat_iterator(base: Any, index: int) -> Any:
    iterator = base.flat
    for _ in range(index):
        next(iterator)
    return iterator


@builtin("numpy.finfo")
def _reduce_float_info(info: Any, _: Saving) -> Any:
    return type(info), (info.dtype,)


@builtin("numpy.errstate")
def _reduce_error_state(state: Any, _: Saving) -> Any:
    names = {"_all": "all", "_divide": "divide", "_over": "over", "_under": "under", "_invalid": "invalid"}
    options = {name: getattr(state, slot, None) for slot, name in names.items()}
    call = getattr(state, "_call", None)
    if callable(call) or hasattr(call, "write"):
        options["call"] = call
    return _make_error_state, ({name: value for name, value in options.items() if value is not None},)


def _make_error_state(options: dict[str, Any]) -> Any:
    import numpy

    return numpy.errstate(**options)


@builtin("numpy.lib._npyio_impl.NpzFile", "numpy.lib.npyio.NpzFile")
def _reduce_file_of_arrays(file: Any, _: Saving) -> Any:
    name = None if file.zip is None else file.zip.filename
    if not isinstance(name, str):
        raise TypeError("an npz file over something that is no file on disk cannot be kept")
    return _open_file_of_arrays, (os.path.abspath(name), file.allow_pickle)


def _open_file_of_arrays(path: str, allow_pickle: bool) -> Any:
    import numpy

    if not os.path.exists(path):
        raise SavepointError(f"the file {path} that was open is not there any more")
    return numpy.load(path, allow_pickle=allow_pickle)


@builtin("pandas._libs.internals.Block", subclasses=True)
def _reduce_block(block: Any, saving: Saving) -> Any:
    _keep_private(block.values, saving)
    return NotImplemented


@builtin(
    "pandas.core.internals.managers.BaseBlockManager",
    "pandas.core.internals.managers.SingleBlockManager",
    subclasses=True,
)
def _reduce_block_manager(manager: Any, saving: Saving) -> Any:
    for block in manager.blocks:  # a Series hands out the values of its block without the block
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
