"""Names of temporaries, and the few functions that normalised code calls.

A name that starts with a dot cannot be written in Python, so it cannot clash with the author's and is never
mangled in a class. Functions reach normalised code as constants: the tree holds a marker string, and
`with_helpers` puts the function into the compiled code in its place, so nothing is looked up by name and
nothing an author does can change it.
"""

from __future__ import annotations

import itertools
import operator
import re
import sys
import types
from typing import Any

from . import groups
from .operations import OPERATIONS, finished

MARK = "\0resumable "
OPERATION = MARK + "op "  # an operator as a call, which may suspend
#: A builtin that goes through a generator, in words. All other helpers never suspend.
CONSUMER = MARK + "consume "

#: In code that goes on in a class's body: the last part of the name of a variable that holds the class, what
#: stands for `super` there, and a function of ours around such a class of a module.
CELL_OF_CLASS, SUPER, WRAPPER = "cell", ".super", ".around class"

_uncatchable: tuple[type[BaseException], ...] = ()


def is_temporary(name: str) -> bool:
    """Whether a name is one of ours: never shown to people, never listed."""
    return name.startswith(".")


def set_uncatchable(*types_: type[BaseException]) -> None:
    """Tell which exception types no handler of a flow may catch; `finally` blocks still run.

    Holds for all units of the process, those compiled before too.
    """
    global _uncatchable
    _uncatchable = types_


def _current_uncatchable() -> tuple[type[BaseException], ...]:
    return _uncatchable


def _display(value: object) -> None:
    sys.displayhook(value)


def _visible(names: Any) -> Any:
    """What `locals()` or `dir()` gave, without temporaries; the module's own dict stays itself."""
    if isinstance(names, list):
        return [name for name in names if not (isinstance(name, str) and name.startswith("."))]
    if isinstance(names, dict) and any(isinstance(name, str) and name.startswith(".") for name in names):
        if "__builtins__" in names or "__name__" in names:
            return names
        return {name: value for name, value in names.items() if not name.startswith(".")}
    return names


def _shown(names: Any) -> Any:
    """A namespace for those who only look at it: the dict itself, or what it holds but temporaries."""
    if isinstance(names, dict) and any(isinstance(name, str) and name.startswith(".") for name in names):
        return {
            name: value
            for name, value in names.items()
            if not (isinstance(name, str) and name.startswith("."))
        }
    return names


def _narrowed(caught: Any) -> Any:
    """Types for an `except*` clause that would catch a life-cycle signal, without the signals."""
    flat: list[Any] = []
    for one in caught if isinstance(caught, tuple) else (caught,):
        if isinstance(one, type) and any(issubclass(signal, one) for signal in _uncatchable):
            below: list[type[Any]] = one.__subclasses__()
            flat += [kind for kind in below if not issubclass(kind, _uncatchable)]
        else:
            flat.append(one)
    return tuple(flat)


def _raise_again(error: BaseException) -> None:
    """Raise a saved exception as it was, so that it is the one being handled again."""
    kept = error.__traceback__, error.__context__, error.__cause__, error.__suppress_context__
    _kept_state[id(error)] = kept
    raise error


_kept_state: dict[int, tuple[Any, ...]] = {}


def _settle(error: BaseException) -> None:
    """Undo what raising again did to the exception's traceback and context."""
    traceback, context, cause, suppress = _kept_state.pop(id(error))
    error.__traceback__ = traceback
    error.__cause__ = cause
    error.__context__ = context
    error.__suppress_context__ = suppress


def _take_group(state: Any) -> None:
    _raise_again(groups.taken(state))


def _entered(manager: Any) -> Any:
    """A stand-in whose `with` skips `__enter__` and leaves through the manager's own `__exit__`.

    Its `__exit__` is the manager's bound method itself: no frame of ours stands between when it runs.
    """
    kind = type(manager)
    body: dict[str, Any] = {}
    for enter, leave in (("__enter__", "__exit__"), ("__aenter__", "__aexit__")):
        method = _looked_up(kind, manager, leave)
        if method is not None:
            body[enter], body[leave] = staticmethod(int if enter == "__enter__" else _already), method
    return type("entered", (), body)()


async def _already() -> None:
    return None


def _looked_up(kind: type, manager: Any, name: str) -> Any:
    for owner in kind.__mro__:
        if name in owner.__dict__:
            found = owner.__dict__[name]
            bind = getattr(type(found), "__get__", None)
            return found if bind is None else _Bound(bind(found, manager, kind))
    return None


class _Bound(staticmethod):  # type: ignore[type-arg]
    """Keeps a callable from being bound a second time."""


def _after_first(iterator: Any) -> Any:
    """The iterator with one more item in front, for the pass that is already under way."""
    return itertools.chain((None,), iterator)


def _sweep(prefix: str) -> None:
    """Remove what a cell's temporaries left in its namespace after an exception."""
    names = sys._getframe(1).f_globals
    for name in [name for name in names if name.startswith(prefix)]:
        del names[name]


def _delegated(iterator: Any) -> Any:
    """Go on with a `yield from` that waits: what comes in, value or exception, goes to the iterator."""
    try:
        sent = yield
    except GeneratorExit:
        if hasattr(iterator, "close"):
            iterator.close()
        raise
    except BaseException as error:
        if not hasattr(iterator, "throw"):
            raise
        try:
            first = iterator.throw(error)
        except StopIteration as end:
            return end.value
    else:
        try:
            first = next(iterator) if sent is None else iterator.send(sent)
        except StopIteration as end:
            return end.value
    return (yield from _after(first, iterator))


def _after(first: Any, iterator: Any) -> Any:
    while True:
        try:
            sent = yield first
        except GeneratorExit:
            if hasattr(iterator, "close"):
                iterator.close()
            raise
        except BaseException as error:
            if not hasattr(iterator, "throw"):
                raise
            try:
                first = iterator.throw(error)
            except StopIteration as end:
                return end.value
        else:
            try:
                first = next(iterator) if sent is None else iterator.send(sent)
            except StopIteration as end:
                return end.value


def _is_uncatchable(error: BaseException) -> bool:
    return isinstance(error, _uncatchable)


def _managing(manager: Any) -> tuple[Any, Any]:
    """The methods of a context manager that `with` calls, looked up as it does."""
    return _methods_of(manager, "__enter__", "__exit__", "context manager")


def _managing_async(manager: Any) -> tuple[Any, Any]:
    return _methods_of(manager, "__aenter__", "__aexit__", "asynchronous context manager")


def _methods_of(manager: Any, enter: str, leave: str, what: str) -> tuple[Any, Any]:
    found = [_bound_method(manager, name) for name in (enter, leave)]
    if found[0] is None:
        raise TypeError(f"'{type(manager).__qualname__}' object does not support the {what} protocol")
    if found[1] is None:
        kind = type(manager).__qualname__
        raise TypeError(f"'{kind}' object does not support the {what} protocol (missed {leave} method)")
    return found[0], found[1]


def _bound_method(subject: Any, name: str) -> Any:
    for owner in type(subject).__mro__:
        if name in owner.__dict__:
            method = owner.__dict__[name]
            bind = getattr(type(method), "__get__", None)
            return method if bind is None else bind(method, subject, type(subject))
    return None


def _following_from(source: Any) -> Any:
    """The `__aiter__` of what an `async for` goes over, bound: it is called by normalised code."""
    begin = _bound_method(source, "__aiter__")
    if begin is None:
        kind = type(source).__qualname__
        raise TypeError(f"'async for' requires an object with __aiter__ method, got {kind}")
    return begin


def _following(iterator: Any) -> Any:
    """What gives the items of an `async for`, one awaitable after the other."""
    following = _bound_method(iterator, "__anext__")
    if following is None:
        kind = type(iterator).__qualname__
        raise TypeError(
            f"'async for' received an object from __aiter__ that does not implement __anext__: {kind}"
        )
    return following


def _awaitable(running: Any) -> Any:
    """What to await for a rebuilt coroutine, or for the next item of a rebuilt asynchronous generator."""
    return running.__anext__() if isinstance(running, types.AsyncGeneratorType) else running


def _awaitable_end(running: Any) -> Any:
    """What to await for a rebuilt asynchronous generator that is being closed."""
    return running.aclose()


def _calling(function: Any) -> Any:
    """An iterator of one item: what the function returns; it ends where the function says so."""
    return map(operator.call, (function,))


class _End:
    """What `next` gives at the end of a loop."""

    def __reduce__(self) -> str:
        return "_end"


_end = _End()

#: Normalised code that a savepoint brings calls them by these names: none may go, or change its meaning.
HELPERS: dict[str, Any] = {
    **{f"op {name}": function for name, function in OPERATIONS.items()},
    "finished": finished,
    "calling": _calling,
    "awaitable": _awaitable,
    "awaitable end": _awaitable_end,
    "end": _end,
    "manager": _managing,
    "async manager": _managing_async,
    "async iterator": lambda source: _following(_following_from(source)()),  # of rules before 12
    "async begin": _following_from,
    "async following": _following,
    "type": type,
    "is uncatchable": _is_uncatchable,
    "any error": BaseException,
    "async end": StopAsyncIteration,
    "delegated": _delegated,
    "slice": slice,
    "sweep": _sweep,
    "set": set,
    "iter": iter,
    "exception": sys.exception,
    "uncatchable": _current_uncatchable,
    "narrowed": _narrowed,
    "group begun": groups.begun,
    "group matched": groups.matched,
    "group taken": _take_group,
    "group collected": groups.collected,
    "group left": groups.left,
    "display": _display,
    "visible": _visible,
    "shown": _shown,
    "raise again": _raise_again,
    "settle": _settle,
    "entered": _entered,
    "after first": _after_first,
}


class UnknownHelper(LookupError):
    """Normalised code calls a function of ours that this version does not have."""


_CELL = re.compile(rf"\.(\w+\.)*c\d+\.{CELL_OF_CLASS}")
_HAVE_CELLS = ("<variant>", WRAPPER)
_LIFTED = re.compile(r"(^|\.)\.(listcomp|setcomp|dictcomp|genexpr)\d+")
_MAKES_LAMBDA = re.compile(r"\.lambda\d+\.<locals>\.")


def shown_name(name: str) -> str:
    """A function's name, qualified or not, as people see it: ``f.<locals>.<listcomp>``."""
    return _LIFTED.sub(r"\1<\2>", _MAKES_LAMBDA.sub("", name))


def _late(name: str) -> Any:
    """A helper of a module that is imported later than this one."""

    def call(*arguments: Any) -> Any:
        from . import classes

        return getattr(classes, name)(*arguments)

    return call


for _name, _function in (
    ("under way", "under_way"),
    ("settled", "settled"),
    ("cell", "cell_of"),
    ("closed", "closed"),
):
    HELPERS[f"class {_name}"] = _late(_function)


def with_helpers(code: types.CodeType) -> types.CodeType:
    """The code with the functions in place of their markers, in all nested code too.

    Lifted comprehensions get the names that tracebacks show (``<listcomp>``).
    """
    constants = []
    changed = False
    for constant in code.co_consts:
        replaced = constant
        if isinstance(constant, types.CodeType):
            replaced = with_helpers(constant)
        elif isinstance(constant, str) and constant.startswith(MARK):
            replaced = _helper(constant.removeprefix(MARK))
        changed = changed or replaced is not constant
        constants.append(replaced)
    if any(_CELL.fullmatch(name) for name in code.co_freevars) and code.co_name not in _HAVE_CELLS:
        code = code.replace(
            co_freevars=tuple("__class__" if _CELL.fullmatch(one) else one for one in code.co_freevars)
        )
    if SUPER in code.co_names:
        code = code.replace(co_names=tuple("super" if one == SUPER else one for one in code.co_names))
    if code.co_name == WRAPPER:
        code = code.replace(co_name="<module>", co_qualname="<module>")
    if shown_name(code.co_qualname) != code.co_qualname:
        code = code.replace(co_name=shown_name(code.co_name), co_qualname=shown_name(code.co_qualname))
    return code.replace(co_consts=tuple(constants)) if changed else code


def _helper(name: str) -> Any:
    if name not in HELPERS and name.startswith("consume "):
        from .units import consumer

        HELPERS[name] = consumer(name.removeprefix("consume "))
    if name not in HELPERS:
        raise UnknownHelper("its code needs a newer version of jupyter_flows")
    return HELPERS[name]
