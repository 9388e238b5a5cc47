"""Operators and other implicit calls as functions of C: which method of which operand they run, and what
remains to be done with its result.

``a + b`` becomes ``operator.add(a, b)`` where flow code is known that may call the Flow API in an `__add__`
(`implicit`). A savepoint then stands at an ordinary call, whose operands have names. `running_method` tells,
without running code, that the frame above is the method of one of them; `finished` does after a restore what
C does after the method has returned (`NotImplemented`, checks of the result).
"""

from __future__ import annotations

import operator
import types
from collections.abc import Callable
from typing import Any

_ARITHMETIC = [
    "add",
    "sub",
    "mul",
    "truediv",
    "floordiv",
    "mod",
    "pow",
    "matmul",
    "lshift",
    "rshift",
    "and",
    "or",
    "xor",
]
_COMPARISONS = {"lt": "gt", "gt": "lt", "le": "ge", "ge": "le", "eq": "eq", "ne": "ne"}
_NAMED = {"and": "and_", "or": "or_", "not": "not_"}
_OWN = ["neg", "pos", "invert", "abs", "getitem", "setitem", "delitem", "contains"]
_BUILTINS = (getattr, setattr, delattr, bool, str, repr, format, len, iter, next, int, float, hash)

#: The operations by name; normalised code calls them as constants.
OPERATIONS: dict[str, Any] = {
    **{name: getattr(operator, _NAMED.get(name, name)) for name in (*_ARITHMETIC, *_COMPARISONS, *_OWN)},
    **{f"i{name}": getattr(operator, f"i{name}") for name in _ARITHMETIC},
    **{function.__name__: function for function in _BUILTINS},
}

_BINARY: dict[str, list[tuple[int, str]]] = {
    **{name: [(0, f"__{name}__"), (1, f"__r{name}__")] for name in _ARITHMETIC},
    **{f"i{name}": [(0, f"__i{name}__"), (0, f"__{name}__"), (1, f"__r{name}__")] for name in _ARITHMETIC},
    **{name: [(0, f"__{name}__"), (1, f"__{other}__")] for name, other in _COMPARISONS.items()},
}
#: Methods of the first operand, in the order in which they are tried where the class has none of its own.
_UNARY: dict[str, tuple[str, ...]] = {
    **{name: (f"__{name}__",) for name in (*_OWN, "repr", "len", "iter", "next", "hash")},
    "bool": ("__bool__", "__len__"),
    "str": ("__str__", "__repr__"),
    "format": ("__format__", "__str__", "__repr__"),
    "int": ("__int__", "__index__"),
    "float": ("__float__", "__index__"),
}
#: Their results are checked or converted by C.
_CHECKED = frozenset({"bool", "str", "repr", "format", "len", "iter", "int", "float", "hash", "contains"})
_WITHOUT_RESULT = frozenset({"setitem", "delitem", "setattr", "delattr"})
_ATTRIBUTES = {"getattr": "fget", "setattr": "fset", "delattr": "fdel"}

Matches = Callable[[types.FunctionType], bool]


def names_of(operation: str) -> tuple[str, ...]:
    """The special methods that an operation may run."""
    if operation in _BINARY:
        return (*(name for _, name in _BINARY[operation]), *(["__eq__"] if operation == "ne" else []))
    return _UNARY.get(operation, ())


def running_method(
    operation: str, operands: list[Any], matches: Matches, given: list[Any]
) -> tuple[int, str] | None:
    """The operand and the name of its method that the frame above is; None if that is not certain.

    Arguments: `matches` tells whether a function is the one of the frame above; `given` is what the first
    parameters of that frame are now.
    """
    if operation in _BINARY:
        possible = _BINARY[operation]
        if operation == "ne":  # by default it asks `__eq__`
            possible = [
                (at, "__eq__" if _looked_up(type(operands[at]), name) is object.__ne__ else name)
                for at, name in possible
            ]
        found = [one for one in possible if _is_given(operands, one[0], given)]
        found = [one for one in found if _runs(type(operands[one[0]]), one[1], matches)]
        return found[0] if len(found) == 1 else None
    if operation == "getattr" and len(given) > 1 and given[1] is operands[0]:
        return (0, "") if _runs_descriptor(operands, matches, given) else None
    if not given or given[0] is not operands[0]:
        return None
    if operation in _ATTRIBUTES:
        return (0, "") if _runs_accessor(operation, operands, matches) else None
    for name in _UNARY[operation]:
        method = _looked_up(type(operands[0]), name)
        if isinstance(method, types.FunctionType):
            return (0, name) if matches(method) else None
        if method is not vars(object).get(name):
            return None
    return None


def _is_given(operands: list[Any], index: int, given: list[Any]) -> bool:
    """Whether the frame above has the operands as its parameters: nothing of C took them apart."""
    return len(given) > 1 and given[0] is operands[index] and given[1] is operands[1 - index]


def _runs(kind: type, name: str, matches: Matches) -> bool:
    method = _looked_up(kind, name)
    return isinstance(method, types.FunctionType) and matches(method)


def _looked_up(kind: type, name: str) -> Any:
    for owner in kind.__mro__:
        if name in owner.__dict__:
            return owner.__dict__[name]
    return None


def _runs_accessor(operation: str, operands: list[Any], matches: Matches) -> bool:
    kind, name = type(operands[0]), operands[1]
    special = [f"__{operation}__"] if operation != "getattr" else ["__getattribute__", "__getattr__"]
    if any(_runs(kind, one, matches) for one in special):
        return True
    if any(isinstance(_looked_up(kind, one), types.FunctionType) for one in special):
        return False  # what comes after the accessor is not known
    found = _looked_up(kind, name)
    accessor = getattr(found, _ATTRIBUTES[operation]) if type(found) is property else None
    return isinstance(accessor, types.FunctionType) and matches(accessor)


def _runs_descriptor(operands: list[Any], matches: Matches, given: list[Any]) -> bool:
    """Whether the frame above is the `__get__` of what its class has under that name: a cached property."""
    found = _looked_up(type(operands[0]), operands[1])
    is_looked_up_by_c = not isinstance(_looked_up(type(operands[0]), "__getattribute__"), types.FunctionType)
    return found is given[0] and is_looked_up_by_c and _runs(type(found), "__get__", matches)


def finished(value: Any, operation: str, index: int, name: str, *operands: Any) -> Any:
    """The operation's result when the method that it ran has returned `value`."""
    if operation in _WITHOUT_RESULT:
        return None
    if operation in _CHECKED:
        return OPERATIONS[operation](_standing_in({name: lambda *_: value}), *operands[1:])
    if value is NotImplemented and operation in _BINARY:
        return _tried_further(operation, index, name, *operands)
    if operation == "ne" and name == "__eq__":
        return not value
    return value


def _standing_in(methods: dict[str, Any]) -> Any:
    return type("standing_in", (), methods)()


def _tried_further(operation: str, index: int, name: str, left: Any, right: Any) -> Any:
    """What Python tries after an operand's method has given NotImplemented."""
    if name.startswith("__i") and operation.startswith("i"):
        return OPERATIONS[operation[1:]](left, right)
    operands = (left, right)
    was_first = index == 0 or not (type(right) is not type(left) and isinstance(right, type(left)))
    was_second = index == 1 and was_first
    if not was_second and (type(left) is not type(right) or operation in _COMPARISONS):
        other = 1 - index
        following = next(one for at, one in reversed(_BINARY[operation]) if at == other)
        method = _looked_up(type(operands[other]), following)
        if method is not None:
            value = method(operands[other], operands[index])
            if value is not NotImplemented:
                return value
    if operation in ("eq", "ne"):
        return (left is right) is (operation == "eq")
    empty = [type(type(one).__name__, (), {})() for one in operands]
    return OPERATIONS[operation](*empty)  # raises what Python raises
