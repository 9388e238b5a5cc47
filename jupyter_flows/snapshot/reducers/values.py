"""Exceptions with what pickle drops, weak references, views of dictionaries, contexts."""

from __future__ import annotations

import sys
import types
import weakref
from collections import OrderedDict
from typing import Any

from ..pickling import PROTOCOL, Saving
from ..registry import builtin
from .code import below_path

_ORDERED: OrderedDict[Any, Any] = OrderedDict()


@builtin(BaseException, subclasses=True)
def _reduce_exception(error: BaseException, saving: Saving) -> Any:
    reduced = error.__reduce_ex__(PROTOCOL)
    if not isinstance(reduced, tuple):
        return reduced
    made_by_default = type(error).__reduce__ is _reduce_of_base(type(error))
    maker = (_make_exception, (type(error), *error.args)) if made_by_default else (reduced[0], reduced[1])
    if id(error) in saving.bare:  # the group that it is a part of brings its state
        return maker
    state = _state_of(error, reduced)
    if isinstance(error, BaseExceptionGroup):
        parts = _parts(error)
        saving.bare.update({id(one): one for one in parts})
        reductions = [(one, one.__reduce_ex__(PROTOCOL)) for one in parts]
        state["parts"] = [(one, _state_of(one, made)) for one, made in reductions if isinstance(made, tuple)]
    return *maker, state, None, None, _set_exception


def _state_of(error: BaseException, reduced: tuple[Any, ...]) -> dict[str, Any]:
    state = {
        "state": reduced[2] if len(reduced) > 2 else None,
        "cause": error.__cause__,
        "context": error.__context__,
        "suppress": error.__suppress_context__,
        "traceback": error.__traceback__,
    }
    if isinstance(error, AttributeError | NameError | ImportError):  # pickle drops some, by version
        state["names"] = {name: getattr(error, name) for name in _NAMES if hasattr(error, name)}
    return state


def _parts(group: BaseExceptionGroup[Any]) -> list[BaseException]:
    """All exceptions in a group and its groups. They mostly know it as their context, and it is made of them.

    So they are made bare first, then the group of them, and then each gets its state.
    """
    found: list[BaseException] = []
    for one in group.exceptions:
        found += [one, *(_parts(one) if isinstance(one, BaseExceptionGroup) else [])]
    return found


_NAMES = ("name", "obj", "path", "name_from")


def _reduce_of_base(cls: type[BaseException]) -> Any:
    """`__reduce__` of BaseException where nothing between it and `cls` needs its own `__init__` to run."""
    for base in cls.__mro__:
        if base is Exception or base is BaseException:
            return BaseException.__reduce__
        is_python = bool(base.__flags__ & (1 << 9))
        if not is_python and "__init__" in base.__dict__:
            return None
    return None


def _make_exception(cls: type[BaseException], *args: Any) -> BaseException:
    """Without calling an `__init__` of the flow: `args` need not fit its parameters."""
    error: BaseException = cls.__new__(cls, *args)
    error.args = args
    return error


def _set_exception(error: BaseException, state: dict[str, Any]) -> None:
    own = state["state"]
    if own is not None:
        if hasattr(type(error), "__setstate__"):
            error.__setstate__(own)
        else:
            error.__dict__.update(own)
    for name, value in state.get("names", {}).items():
        setattr(error, name, value)
    error.__cause__ = state["cause"]
    error.__context__ = state["context"]
    error.__suppress_context__ = state["suppress"]
    traceback = state["traceback"]
    # Places, in savepoints made before tracebacks were objects of their own.
    error.__traceback__ = _make_traceback(traceback) if isinstance(traceback, tuple) else traceback
    for part, its_state in state.get("parts", ()):
        _set_exception(part, its_state)


# A traceback's frames cannot be kept with all that they hold; what people and loggers read of it can.
_Place = tuple[str, str, str, int]


def _frames(traceback: types.TracebackType | None) -> tuple[_Place, ...]:
    places = []
    while traceback is not None:
        places.append(_place(traceback))
        traceback = traceback.tb_next
    return tuple(places)


def _place(traceback: types.TracebackType) -> _Place:
    code = traceback.tb_frame.f_code
    return below_path(code.co_filename), code.co_name, code.co_qualname, traceback.tb_lineno


def _make_traceback(places: tuple[_Place, ...]) -> types.TracebackType | None:
    made: types.TracebackType | None = None
    for filename, name, qualname, line in reversed(places):
        code = _frame_maker.__code__.replace(
            co_filename=filename,
            co_name=name,
            co_qualname=qualname,
            co_firstlineno=line,  # the position of its first instruction, which `traceback` asks for
        )
        frame = types.FunctionType(code, {"sys": sys, "__name__": MODULE_OF_FRAMES})()
        made = types.TracebackType(made, frame, 0, line)
    return made


MODULE_OF_FRAMES = "restored traceback"


def _frame_maker() -> types.FrameType:
    return sys._getframe()


_MANY_LINKS = 50


@builtin(types.TracebackType)
def _reduce_traceback(traceback: types.TracebackType, _: Saving) -> Any:
    """Link by link, so that what is shared stays shared; a very long one (a recursion's) as a whole."""
    link: types.TracebackType | None = traceback
    for _number in range(_MANY_LINKS):
        link = link and link.tb_next
    if link is not None:
        return _make_traceback, (_frames(traceback),)
    return _make_link, (_place(traceback), traceback.tb_next)


def _make_link(place: _Place, following: types.TracebackType | None) -> types.TracebackType | None:
    made = _make_traceback((place,))
    assert made is not None
    made.tb_next = following
    return made


@builtin(weakref.ref)
def _reduce_weak_reference(reference: weakref.ref[Any], _: Saving) -> Any:
    # Kept strongly: whether anything else holds the object is known only when all is pickled.
    return _make_weak_reference, (reference(),)


class _Gone:
    """What a weak reference to a dead object points to after loading."""


def _make_weak_reference(subject: Any) -> weakref.ref[Any]:
    return weakref.ref(_Gone() if subject is None else subject)


@builtin(weakref.WeakSet)
def _reduce_weak_set(subject: weakref.WeakSet[Any], _: Saving) -> Any:
    return weakref.WeakSet, (list(subject),)


@builtin(weakref.WeakKeyDictionary, weakref.WeakValueDictionary)
def _reduce_weak_dictionary(subject: Any, _: Saving) -> Any:
    return type(subject), (dict(subject.items()),)


@builtin(type({}.keys()))
def _reduce_keys(view: Any, _: Saving) -> Any:
    return dict.keys, (_mapping_of(view),)


@builtin(type({}.values()))
def _reduce_values(view: Any, _: Saving) -> Any:
    return dict.values, (_mapping_of(view),)


@builtin(type({}.items()))
def _reduce_items(view: Any, _: Saving) -> Any:
    return dict.items, (_mapping_of(view),)


@builtin(*(type(view) for view in (_ORDERED.keys(), _ORDERED.values(), _ORDERED.items())))
def _reduce_ordered_view(view: Any, _: Saving) -> Any:
    return _ordered_view, (_mapping_of(view), type(view).__name__.removeprefix("odict_"))


def _ordered_view(mapping: OrderedDict[Any, Any], kind: str) -> Any:
    return getattr(mapping, kind)()


def _mapping_of(view: Any) -> Any:
    """The dictionary itself, so that the view stays one."""
    import gc

    found = [one for one in gc.get_referents(view) if isinstance(one, dict)]
    return found[0]


@builtin(type(NotImplemented), type(...))
def _reduce_singleton(subject: Any, _: Saving) -> Any:
    return "Ellipsis" if subject is ... else "NotImplemented"
