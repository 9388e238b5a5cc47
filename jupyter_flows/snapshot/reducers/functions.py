"""Functions, cells, methods and modules.

A function of a flow's unit is kept by its unit and place (`resumable.reduce_function`), with its defaults,
closure cells and attributes; the unit's source goes into the snapshot. One that came out of `exec`, or that
a library made on the fly, has no source to go back to: its code is kept as this Python version's bytecode.
Either way the functions of the flow get the *live* namespace as their globals.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import marshal
import sys
import types
from typing import Any

from ... import resumable
from ...errors import SavepointError
from .. import units
from ..pickling import Saving
from ..references import ModuleGlobals, is_importable, module_of_globals
from ..registry import builtin


@builtin(types.FunctionType)
def _reduce_function(function: types.FunctionType, saving: Saving) -> Any:
    if is_importable(function):
        return NotImplemented
    saving.by_value[id(function)] = function
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
    arguments = (function.__code__, global_names, function.__name__, function.__closure__)
    return _make_function, arguments, state, None, None, _set_function


def _make_function(
    code: types.CodeType, global_names: dict[str, Any], name: str, closure: tuple[types.CellType, ...] | None
) -> types.FunctionType:
    return types.FunctionType(code, global_names, name, None, closure)


def _set_function(function: types.FunctionType, state: dict[str, Any]) -> None:
    for name, value in state.items():
        if name == "__dict__":
            function.__dict__.update(value)
        else:
            setattr(function, name, value)


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


@builtin(types.CodeType)
def _reduce_code(code: types.CodeType, _: Saving) -> Any:
    return _make_code, (importlib.util.MAGIC_NUMBER, sys.version.split()[0], marshal.dumps(code))


def _make_code(magic: bytes, version: str, data: bytes) -> types.CodeType:
    if magic != importlib.util.MAGIC_NUMBER:
        raise SavepointError(
            f"a function without source was kept as bytecode of Python {version}; define it in a cell or "
            "in a module, or go on with that version"
        )
    code = marshal.loads(data)
    assert isinstance(code, types.CodeType)
    return code


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


@builtin(types.ModuleType, subclasses=True)
def _reduce_module(module: types.ModuleType, saving: Saving) -> Any:
    if sys.modules.get(module.__name__) is module:
        return importlib.import_module, (module.__name__,)
    saving.by_value[id(module)] = module
    state = {name: value for name, value in module.__dict__.items() if name != "__builtins__"}
    return types.ModuleType, (module.__name__,), state
