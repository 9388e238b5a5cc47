"""Functions of the standard library that run functions of a flow: they get code that is a unit of ours.

Where `contextlib` runs a flow's generator as a manager, its frame stands between two frames of the flow, in
plain Python. So when a unit imports such a module, the functions named here get the code of the function of
the same name in ``from_MODULE.py``, in its normalised form: a frame of it is captured like any other.

The words are ours and the same for all versions of Python, so a savepoint goes from one to another; they
travel with it, so it goes on with the ones that it was made with. Only the code changes: the function stays
the object it is, with its module's globals, defaults and attributes. A function that is not the interpreter's
own (somebody replaced it), or that takes other parameters, is left alone, and calls through it are inexact.

It is no code of the flow: nothing is learned from it, and a stack that it begins is not a flow's.
"""

from __future__ import annotations

import ast
import builtins
import importlib
import inspect
import os
import re
import types
from collections.abc import Callable
from typing import Any

from .results import Results
from .telling import has_method, runs_when_called, runs_when_iterated, some_run
from .words import HOMES

_OF_ITEMS = frozenset(
    {"__iter__", "__next__", "__bool__", "__add__", "__radd__", "__mul__", "__rmul__"}
    | {"__eq__", "__lt__", "__gt__", "__contains__"}
)
_ORDERING = tuple(
    f"_{one}_from_{other}"
    for other in ("lt", "le", "gt", "ge")
    for one in ("lt", "le", "gt", "ge")
    if one != other
)
#: By module: the functions whose frames may stand between two of the flow's.
BORROWED = {
    "contextlib": (
        "ContextDecorator.__call__",
        "AsyncContextDecorator.__call__",
        "_GeneratorContextManager.__enter__",
        "_GeneratorContextManager.__exit__",
        "_AsyncGeneratorContextManager.__aenter__",
        "_AsyncGeneratorContextManager.__aexit__",
        "contextmanager",
        "asynccontextmanager",
        "closing.__exit__",
        "aclosing.__aexit__",
        "_BaseExitStack._create_cb_wrapper",
        "_BaseExitStack.enter_context",
        "ExitStack.__exit__",
        "ExitStack.close",
        "AsyncExitStack._create_async_cb_wrapper",
        "AsyncExitStack.enter_async_context",
        "AsyncExitStack.__aexit__",
        "AsyncExitStack.aclose",
    ),
    "functools": ("cached_property.__get__", *_ORDERING),
    # These are called in the place of the module's own, where a flow's code needs it (`words`).
    "builtins": (),
    "itertools": (),
    "collections": (),
}
#: The special methods that their own operators, loops and blocks may run.
FORESEEN = {
    "contextlib": frozenset({"__enter__", "__exit__"}),
    "functools": frozenset({"__enter__", "__exit__", "__bool__", "__eq__", "__ne__"}),
    **dict.fromkeys(("builtins", "itertools", "collections"), _OF_ITEMS),
}
_HAVE_WORDS = frozenset(HOMES.values())

_TITLE = re.compile(r'"""What `(\w+)` does where it runs functions of a flow, in words')
_HERE = os.path.dirname(__file__)
_installed: set[str] = set()
_compiled: dict[str, Any] = {}

#: Makes a unit of a source and the path of its file.
Compile = Callable[[str, str], Any]


def library_of(source: str) -> str:
    """The module that a unit's source stands for; "" for the code of a flow."""
    found = _TITLE.match(source)
    return found[1] if found is not None and found[1] in BORROWED else ""


def install(tree: ast.Module, compiled: Compile) -> None:
    """Give the functions of the modules that a unit imports their code, once. `tree`: the author's."""
    for name in _imported(tree) & BORROWED.keys() - _HAVE_WORDS - _installed:
        _installed.add(name)
        unit = _unit_of(name, compiled)
        module = importlib.import_module(name)
        for place in BORROWED[name]:
            function, code = _function(module, place), unit.code_at(place)
            if function is not None and _is_replaceable(function, code, module):
                function.__code__ = code


def consumer(name: str, compiled: Compile) -> types.FunctionType:
    """The function that does in words what one of C does. Raises KeyError if no words have that name."""
    home = HOMES[name]
    return types.FunctionType(_unit_of(home, compiled).code_at(name), names_of(home), name)


def _unit_of(name: str, compiled: Compile) -> Any:
    path = os.path.join(_HERE, f"from_{name}.py")
    if path not in _compiled:
        with open(path, encoding="utf-8") as file:
            _compiled[path] = compiled(file.read(), path)
    return _compiled[path]


def _function(module: types.ModuleType, place: str) -> types.FunctionType | None:
    found: Any = module
    for part in place.split("."):
        found = vars(found).get(part) if isinstance(found, type | types.ModuleType) else None
    found = getattr(found, "__func__", found)  # of a static method
    return found if isinstance(found, types.FunctionType) else None


def _is_replaceable(function: types.FunctionType, code: types.CodeType, module: types.ModuleType) -> bool:
    """Whether it is the module's own function, taking the same parameters."""
    old = function.__code__
    is_its_own = function.__globals__ is vars(module) and old.co_filename == module.__file__
    return is_its_own and old.co_qualname == code.co_qualname and _parameters(old) == _parameters(code)


def _parameters(code: types.CodeType) -> tuple[Any, ...]:
    kinds = inspect.CO_VARARGS | inspect.CO_VARKEYWORDS | inspect.CO_COROUTINE | inspect.CO_GENERATOR
    count = code.co_argcount + code.co_kwonlyargcount
    counts = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & kinds
    return (*counts, code.co_varnames[:count], code.co_freevars)


def _imported(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(one.name for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return found


class Names:
    """How the globals of borrowed code are pickled: by the module's name; it comes back as the dict."""

    def __init__(self, module: str) -> None:
        self._module = module

    def __reduce__(self) -> tuple[Any, ...]:
        return names_of, (self._module,)


def names_of(module: str) -> dict[str, Any]:
    """The globals of borrowed code: those of the module, or what words refer to."""
    if module not in _HAVE_WORDS:
        return vars(importlib.import_module(module))
    if module not in _names:
        imported = {name: importlib.import_module(name) for name in _REFERRED}
        told = {one.__name__: one for one in _TOLD}
        _names[module] = {"__name__": module, "__builtins__": builtins, **imported, **told}
    return _names[module]


_TOLD = (runs_when_iterated, some_run, runs_when_called, has_method, Results)
_REFERRED = ("collections", "functools", "itertools")
_names: dict[str, dict[str, Any]] = {}
