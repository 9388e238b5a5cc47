"""dill's reducers, for what nothing else can do: asked last, and for the single object that needs it.

dill knows how to take many objects of the interpreter apart, but its pickler runs in Python and writes a
stream of its own. Here only its knowledge is used: its function for the object's class is called with a
recorder in the place of the pickler, and the parts that it names go into our stream like any others, so
sharing survives. Imported when first needed: dill costs a tenth of a second.
"""

from __future__ import annotations

import datetime
import io
import types
import weakref
from typing import Any

from .pickling import Saving
from .registry import builtin

#: Never by dill: it would keep bytecode, addresses, or whole modules and classes by value.
_NOT_BY_DILL: tuple[type[Any], ...] = (
    type(datetime.datetime_CAPI),  # a capsule: an address in C
    types.CodeType,
    types.FunctionType,
    types.ModuleType,
    types.FrameType,
    types.GeneratorType,
    types.CoroutineType,
    types.AsyncGeneratorType,
    type,
)


class _Recorded(Exception):
    """Carries the reduction out of dill's function."""

    def __init__(self, reduction: tuple[Any, ...]) -> None:
        super().__init__("recorded")
        self.reduction = reduction


def reduction_by_dill(subject: Any) -> tuple[Any, ...] | None:
    """How dill would reduce an object, as `__reduce__` returns it; None where dill does not know it."""
    # By its type alone: `isinstance` would believe the __class__ of a proxy.
    if issubclass(type(subject), _NOT_BY_DILL):
        return None
    import dill

    save = dill.Pickler.dispatch.get(type(subject))
    if save is None:
        return None

    class Recorder(dill.Pickler):  # type: ignore[misc]
        def save_reduce(
            self,
            func: Any,
            args: Any,
            state: Any = None,
            listitems: Any = None,
            dictitems: Any = None,
            **_: Any,
        ) -> None:
            raise _Recorded((func, args, state, listitems, dictitems))

    try:
        save(Recorder(io.BytesIO(), protocol=5), subject)
    except _Recorded as recorded:
        return recorded.reduction
    except Exception:
        return None
    return None


@builtin(super, weakref.ProxyType, weakref.CallableProxyType)
def _reduce_stand_in(subject: Any, _: Saving) -> Any:
    """pickle would ask the object behind it, and refuse the answer or keep that object in its place."""
    return reduction_by_dill(subject)
