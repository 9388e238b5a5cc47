"""Functions, cells, methods and modules.

A function of a flow's unit is kept by its unit and place (`resumable.reduce_function`), with its defaults,
closure cells and attributes; the unit's source goes into the snapshot. One that came out of `exec`, or that
a library made on the fly, goes by where its code is found (see `code`).
Either way the functions of the flow get the *live* namespace as their globals.
"""

from __future__ import annotations

import functools
import importlib
import sys
import types
from typing import Any

from ... import resumable
from .. import units
from ..pickling import Saving
from ..references import ModuleGlobals, is_importable, module_of_globals
from ..registry import builtin
from . import code as origins
from .code import _make_code as _make_code  # savepoints name it as one of this module


@builtin(types.FunctionType)
def _reduce_function(function: types.FunctionType, saving: Saving) -> Any:
    if is_importable(function):
        return NotImplemented
    saving.by_value[id(function)] = function
    if _is_dispatched(function):
        return _reduce_dispatched(function)
    unit = units.unit_of(function.__code__)
    if unit is not None:
        try:
            reduced = units.reduce_function(function)
        except LookupError:
            pass  # code that the unit has, but no place of its own in it
        else:
            saving.units.add(unit.digest)
            return _in_modules(reduced, saving)
    module = module_of_globals(function.__globals__)
    is_live = function.__globals__ is saving.namespace
    global_names = ModuleGlobals(module) if module is not None and not is_live else function.__globals__
    state = {
        "__defaults__": function.__defaults__,
        "__kwdefaults__": function.__kwdefaults__,
        "__annotations__": function.__annotations__,
        "__doc__": function.__doc__,
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__dict__": function.__dict__,
    }
    code: Any = function.__code__
    if module is not None:
        code = origins.of_library(module, code) or code
    arguments = (code, global_names, function.__name__, function.__closure__, function.__code__.co_freevars)
    return _make_function, arguments, state, None, None, _set_function


def _make_function(
    code: types.CodeType,
    global_names: dict[str, Any],
    name: str,
    closure: tuple[types.CellType, ...] | None,
    freevars: tuple[str, ...] | None = None,
) -> types.FunctionType:
    if closure and freevars and freevars != code.co_freevars:  # another version may order them otherwise
        cells = dict(zip(freevars, closure, strict=True))
        closure = tuple(cells[variable] for variable in code.co_freevars)
    return types.FunctionType(code, global_names, name, None, closure)


def _set_function(function: types.FunctionType, state: dict[str, Any]) -> None:
    for name, value in state.items():
        if name == "__dict__":
            function.__dict__.update(value)
        else:
            setattr(function, name, value)


@builtin(resumable.Continuation)
def _reduce_continuation(continuation: resumable.Continuation, saving: Saving) -> Any:
    return units.reduce_continuation(continuation, saving)


@builtin(types.GeneratorType, types.CoroutineType, types.AsyncGeneratorType)
def _reduce_generator(generator: Any, saving: Saving) -> Any:
    """A flow's generator or coroutine goes on where it stands; of any other, `resumable` says why not."""
    reduced = units.reduce_generator(generator)
    codes = (getattr(generator, name, None) for name in ("gi_code", "cr_code", "ag_code"))
    unit = units.unit_of(next(code for code in codes if code is not None))
    if unit is not None:
        saving.units.add(unit.digest)
    return _in_modules(reduced, saving)


def _in_modules(reduced: Any, saving: Saving) -> Any:
    """A function's namespace, where it is that of a module, goes by the module's name."""
    arguments = list(reduced[1])
    for index, one in enumerate(arguments):
        if type(one) is dict and one is not saving.namespace and "__name__" in one:
            module = module_of_globals(one)
            arguments[index] = one if module is None else ModuleGlobals(module)
    return (reduced[0], tuple(arguments), *reduced[2:])


@builtin(types.CellType)
def _reduce_cell(cell: types.CellType, saving: Saving) -> Any:
    saving.by_value[id(cell)] = cell
    try:
        content = (cell.cell_contents,)
    except ValueError:
        return _make_cell, ()
    return _make_cell, (), content, None, None, _fill_cell


def _make_cell() -> types.CellType:
    return types.CellType()


def _fill_cell(cell: types.CellType, content: tuple[Any]) -> None:
    cell.cell_contents = content[0]


@builtin(types.MethodType)
def _reduce_method(method: types.MethodType, _: Saving) -> Any:
    function = method.__func__
    if isinstance(function, types.FunctionType):
        return types.MethodType, (function, method.__self__)
    return NotImplemented


@builtin(types.BuiltinMethodType, types.MethodWrapperType)
def _reduce_builtin_method(method: Any, _: Saving) -> Any:
    return resumable.reduce_builtin_method(method)


@builtin(types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType)
def _reduce_descriptor(descriptor: Any, _: Saving) -> Any:
    return getattr, (descriptor.__objclass__, descriptor.__name__)


@builtin(types.GetSetDescriptorType, types.MemberDescriptorType)
def _reduce_member(descriptor: Any, _: Saving) -> Any:
    return _member_of, (descriptor.__objclass__, descriptor.__name__)


def _member_of(owner: type[Any], name: str) -> Any:
    return owner.__dict__[name]


@builtin(staticmethod, classmethod)
def _reduce_wrapped_method(method: Any, _: Saving) -> Any:
    return type(method), (method.__func__,)


@builtin(property)
def _reduce_property(subject: property, _: Saving) -> Any:
    return property, (subject.fget, subject.fset, subject.fdel, subject.__doc__)


@builtin(functools.cached_property)
def _reduce_cached_property(subject: functools.cached_property[Any], _: Saving) -> Any:
    return _make_cached_property, (subject.func, subject.attrname)


def _make_cached_property(function: Any, name: str | None) -> functools.cached_property[Any]:
    made = functools.cached_property(function)
    made.attrname = name
    return made


@builtin("functools._lru_cache_wrapper")
def _reduce_cached_function(function: Any, _: Saving) -> Any:
    if is_importable(function):
        return NotImplemented
    # The results that it remembers cannot be read out; they are computed again.
    return _make_cached_function, (function.__wrapped__, function.cache_parameters()), function.__dict__


def _make_cached_function(function: Any, parameters: dict[str, Any]) -> Any:
    return functools.lru_cache(**parameters)(function)


# A function made by functools.singledispatch is made anew by it: its parts differ from version to version.

_DISPATCHER = functools.singledispatch(len).__code__  # type: ignore[attr-defined]


def _is_dispatched(function: Any) -> bool:
    return function.__code__ is _DISPATCHER and hasattr(function, "registry")


def _reduce_dispatched(function: Any) -> Any:
    own = {
        name: value
        for name, value in function.__dict__.items()
        if name not in ("register", "dispatch", "registry", "_clear_cache")
    }
    names = {name: getattr(function, name) for name in _NAMES_OF_FUNCTION}
    return _make_dispatched, (), (dict(function.registry), own, names), None, None, _set_dispatched


_NAMES_OF_FUNCTION = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__")


def _make_dispatched() -> Any:
    made: Any = functools.singledispatch
    return made(_make_dispatched)


def _set_dispatched(function: Any, state: tuple[dict[Any, Any], dict[str, Any], dict[str, Any]]) -> None:
    registry, own, names = state
    for kind, implementation in registry.items():
        function.register(kind, implementation)
    function.__dict__.update(own)
    for name, value in names.items():
        setattr(function, name, value)


@builtin(functools.singledispatchmethod)
def _reduce_dispatched_method(method: Any, _: Saving) -> Any:
    own = {name: value for name, value in method.__dict__.items() if not name.startswith("_")}
    return _make_dispatched_method, (), own


def _make_dispatched_method() -> Any:
    return functools.singledispatchmethod(_make_dispatched_method)


@builtin(types.ModuleType, subclasses=True)
def _reduce_module(module: types.ModuleType, saving: Saving) -> Any:
    if sys.modules.get(module.__name__) is module:
        return importlib.import_module, (module.__name__,)
    saving.by_value[id(module)] = module
    state = {name: value for name, value in module.__dict__.items() if name != "__builtins__"}
    return types.ModuleType, (module.__name__,), state
