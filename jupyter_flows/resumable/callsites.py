"""Does a call site really call the frame above it, or does a function of C stand between?

Python shows no frames of C code, so ``sorted(xs, key=f)`` looks as if the frame called `f` itself. Mostly the
interpreter itself tells (`instructions.runs_directly`). Where it does not (classes, objects with `__call__`,
``f(*args)``), the callee is looked up again without running any code (no property, no `__getattr__`), and
compared; and it must be *firm*: nothing that ran since the call can have put another object in its place.
"""

from __future__ import annotations

import ast
import builtins
import functools
import types
from collections.abc import Callable, Mapping
from typing import Any

from .knowledge import KNOWN
from .rebuilding import CALL, INIT
from .scopes import Scope
from .spilling import bound_in
from .temporaries import HELPERS, MARK, is_temporary

Matches = Callable[[types.FunctionType], bool]


class _Unknown:
    """What a callee is when it cannot be told without running code."""


UNKNOWN = _Unknown()


class Site:
    """A call in a frame: what it calls now, by the frame's variables."""

    def __init__(
        self, frame: types.FrameType, variables: Mapping[str, Any], class_name: str | None, names: Scope
    ) -> None:
        self._frame = frame
        self._variables = variables
        self._class_name = class_name
        self._names = names

    def value(self, node: ast.AST) -> Any:
        """The value of a callee's expression, or UNKNOWN."""
        if isinstance(node, ast.Name):
            return self._name(node.id)
        if isinstance(node, ast.NamedExpr):
            return self._variables.get(node.target.id, UNKNOWN)
        if isinstance(node, ast.Constant):
            if isinstance(node.value, str) and node.value.startswith(MARK):
                return HELPERS[node.value.removeprefix(MARK)]
            return node.value
        if isinstance(node, ast.Attribute):
            if _is_super(node.value):
                return self._super(self.mangled(node.attr))
            receiver = self.value(node.value)
            return UNKNOWN if receiver is UNKNOWN else attribute(receiver, self.mangled(node.attr))
        return UNKNOWN

    def is_firm(self, node: ast.AST, call: ast.AST) -> bool:
        """Whether this part of a call has surely the value that it had when the call began."""
        if isinstance(node, ast.Constant | ast.NamedExpr):
            return True
        if isinstance(node, ast.Name):
            return is_temporary(node.id) or self._is_firm_name(self.mangled(node.id), call)
        if isinstance(node, ast.Attribute):
            is_stored = self.mangled(node.attr) in KNOWN.stored
            return not is_stored and (_is_super(node.value) or self.is_firm(node.value, call))
        return False

    def _is_firm_name(self, name: str, call: ast.AST) -> bool:
        owner = self._names.owner_of(name) if self._names.kind == "function" else None
        if owner is None:
            return name not in KNOWN.rebound
        if owner is self._names:
            return owner.is_stable(name) and name not in bound_in(call)
        return not owner.is_rebound_inside(name) and not owner.is_generator

    def mangled(self, name: str) -> str:
        if self._class_name is None or not name.startswith("__") or name.endswith("__"):
            return name
        owner = self._class_name.lstrip("_")
        return f"_{owner}{name}" if owner else name

    def _name(self, name: str) -> Any:
        name = self.mangled(name)
        if name in self._variables:
            return self._variables[name]
        for names in (self._frame.f_globals, vars(builtins)):
            if name in names:
                return names[name]
        return UNKNOWN

    def _super(self, name: str) -> Any:
        owner = self._variables.get("__class__")
        code = self._frame.f_code
        subject = self._variables.get(code.co_varnames[0]) if code.co_argcount else None
        if subject is None:
            subject = self._variables.get("self", self._variables.get("cls"))
        if not isinstance(owner, type) or subject is None:
            return UNKNOWN
        kind = subject if isinstance(subject, type) and issubclass(subject, owner) else type(subject)
        if owner not in kind.__mro__:
            return UNKNOWN
        for base in kind.__mro__[kind.__mro__.index(owner) + 1 :]:
            if name in base.__dict__:
                return _bound(base.__dict__[name], subject, kind)
        return UNKNOWN


def _is_super(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "super"


def _bound(found: Any, subject: Any, kind: type) -> Any:
    if isinstance(found, types.FunctionType):
        return found if subject is None else types.MethodType(found, subject)
    if isinstance(found, staticmethod):
        return found.__func__
    if isinstance(found, classmethod):
        return types.MethodType(found.__func__, kind)
    if isinstance(found, types.MemberDescriptorType) and subject is not None:
        try:
            return found.__get__(subject, kind)
        except AttributeError:
            return UNKNOWN
    if isinstance(found, types.MethodDescriptorType) and subject is not None:
        return found.__get__(subject, kind)
    if isinstance(found, property | types.GetSetDescriptorType):
        return UNKNOWN
    return found


def attribute(receiver: Any, name: str) -> Any:
    """What ``receiver.name`` gives, without running code; UNKNOWN where it would."""
    if isinstance(receiver, type):
        for owner in receiver.__mro__:
            if name in owner.__dict__:
                return _bound(owner.__dict__[name], None, receiver)
        return UNKNOWN
    kind = type(receiver)
    try:
        own = object.__getattribute__(receiver, "__dict__")
    except (AttributeError, TypeError):
        own = {}
    if isinstance(receiver, types.ModuleType):
        return own.get(name, UNKNOWN)
    if isinstance(own, dict) and name in own:
        return own[name]
    for owner in kind.__mro__:
        if name in owner.__dict__:
            return _bound(owner.__dict__[name], receiver, kind)
    return UNKNOWN


def role_of(called: Any, matches: Matches) -> str | None:
    """How calling this object runs the matching function: CALL, INIT (by a class's `__init__`), or None."""
    if isinstance(called, types.FunctionType):
        return CALL if matches(called) else None
    if isinstance(called, types.MethodType):
        return role_of(called.__func__, matches)
    if isinstance(called, functools.partial | functools.partialmethod):
        return role_of(called.func, matches)
    if isinstance(called, type):
        return _role_of_class(called, matches)
    if isinstance(called, _Unknown):
        return None
    method = attribute(type(called), "__call__")
    return role_of(method, matches) if isinstance(method, types.FunctionType) else None


def _role_of_class(called: type, matches: Matches) -> str | None:
    for kind in type.mro(type(called)):
        if kind is not type and kind is not object and "__call__" in vars(kind):
            return None
    if isinstance(called.__new__, types.FunctionType):
        return None
    method = attribute(called, "__init__")
    return INIT if isinstance(method, types.FunctionType) and matches(method) else None
