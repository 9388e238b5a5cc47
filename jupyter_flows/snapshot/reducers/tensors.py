"""PyTorch's tensors on the CPU: their storages outside of the stream, shared as they were, with gradients.

A tensor is a window on a storage; tensors that share one go on sharing it. Tensors within a graph that
autograd recorded are refused: the graph lives in C++ and cannot be had back.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from ..memories import read_memory
from ..pickling import PROTOCOL, Saving
from ..registry import builtin


def _torch() -> Any:
    return importlib.import_module("torch")


@builtin("torch.Tensor", "torch._tensor.Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
def _reduce_tensor(tensor: Any, _: Saving) -> Any:
    if not tensor.is_leaf:
        raise TypeError("a tensor within a graph of autograd cannot be kept: keep tensor.detach()")
    if tensor.device.type != "cpu" or str(tensor.layout) != "torch.strided" or tensor.is_quantized:
        return NotImplemented
    facts = (tensor.dtype, tensor.storage_offset(), tuple(tensor.size()), tuple(tensor.stride()))
    flags = (tensor.requires_grad, tensor.is_conj(), tensor.is_neg())
    state = (tensor.grad, dict(tensor.__dict__))
    maker = _make_tensor, (type(tensor), tensor.untyped_storage(), *facts, flags)
    return *maker, state, None, None, _set_tensor


def _make_tensor(
    cls: Any, storage: Any, dtype: Any, offset: int, size: Any, stride: Any, flags: tuple[bool, bool, bool]
) -> Any:
    torch = _torch()
    requires_gradient, is_conjugate, is_negative = flags
    made = torch.empty(0, dtype=dtype).set_(storage, offset, size, stride)
    if is_conjugate:
        made = torch._conj(made)
    if is_negative:
        made = torch._neg_view(made)
    if cls is torch.Tensor:
        return made.requires_grad_(requires_gradient)
    if cls.__name__ == "Parameter":
        return cls(made, requires_gradient)
    return cls(made)


def _set_tensor(tensor: Any, state: tuple[Any, dict[str, Any]]) -> None:
    gradient, own = state
    tensor.grad = gradient
    tensor.__dict__.update(own)


@builtin("torch.storage.UntypedStorage")
def _reduce_storage(storage: Any, saving: Saving) -> Any:
    if storage.device.type != "cpu":
        return storage.__reduce_ex__(PROTOCOL)
    size = storage.nbytes()
    if not size:
        return _make_storage, (None, 0)
    number = saving.keep_memory(storage, _bytes_of(storage), 0)
    return _make_storage, (number, size)


def _bytes_of(storage: Any) -> memoryview:
    torch = sys.modules["torch"]
    flat = torch.empty(0, dtype=torch.uint8).set_(storage)
    return memoryview(flat.numpy())


def _make_storage(number: int | None, size: int) -> Any:
    storage = _torch().UntypedStorage(size)
    if number is not None:
        read_memory(number, _bytes_of(storage))
    return storage


@builtin("torch._C.Generator")
def _reduce_generator(generator: Any, _: Saving) -> Any:
    return _make_generator, (str(generator.device), generator.get_state())


def _make_generator(device: str, state: Any) -> Any:
    made = _torch().Generator(device)
    made.set_state(state)
    return made
