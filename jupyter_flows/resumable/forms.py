"""Forms: a unit's normalised syntax tree as bytes, so that later versions need not normalise alike.

A savepoint that waits in a unit names places in the unit's normalised tree. Later versions may normalise the
same source otherwise, so the tree itself is part of the savepoint. A version with other rules compiles it
as it is: every place, every temporary and every instruction's meaning stay what they were, whatever the
newer rules say. What that needs of later versions is little: that the functions which normalised code calls
(`temporaries.HELPERS`) keep their names and meanings, and that `rebuilding` goes on with what it once
went on with. Weighed against it: to keep old rules in the compiler (each of its changes twice, for good), and
to go on only where old and new rules agree (savepoints would become worthless).

The bytes are portable: numbers and strings, no pickled classes, fields by name. A kind of node or a field
that this Python does not have is refused, unless it is empty there.
"""

from __future__ import annotations

import ast
import io
import pickle
import zlib
from typing import Any

_VERSION = 1
#: What the compiler notes on nodes, and rebuilding or moving to new code reads.
_NOTES = frozenset({"births", "births_in_unit", "temporaries"})
#: In the place of a node's kind: a value, or a list of so many parts.
_VALUE, _LIST = -1, -2

Kinds = list[tuple[type[ast.AST], tuple[str, ...]]]


class UnknownForm(LookupError):
    """The bytes are of a tree that this version of jupyter_flows or of Python does not know."""


def form_of(tree: ast.Module) -> bytes:
    """The tree as bytes."""
    writer = _Writer()
    writer.write(tree)
    return zlib.compress(pickle.dumps((_VERSION, writer.kinds, writer.values, writer.stream), 4), 6)


def tree_of(form: bytes) -> ast.Module:
    """The tree. Raises UnknownForm."""
    version, kinds, values, stream = _Plain(io.BytesIO(zlib.decompress(form))).load()
    if version != _VERSION:
        raise UnknownForm("its code is kept in a form that only a newer version of jupyter_flows knows")
    reader = _Reader([(_kind(name), fields) for name, fields in kinds.items()], values, stream)
    tree = reader.read()
    assert isinstance(tree, ast.Module)
    return tree


class _Writer:
    """A node becomes its kind's number, its position, its notes and its fields, one after the other."""

    def __init__(self) -> None:
        self.kinds: dict[str, tuple[str, ...]] = {}
        self.values: list[Any] = []
        self.stream: list[int] = []
        self._kinds: dict[type[ast.AST], int] = {}
        self._values: dict[Any, int] = {}
        self._line = 0

    def write(self, one: Any) -> None:
        if isinstance(one, ast.AST):
            self._write_node(one)
        elif one.__class__ is list:
            self.stream += [_LIST, len(one)]
            for part in one:
                self.write(part)
        else:
            self.stream += [_VALUE, self._value(one)]

    def _write_node(self, node: ast.AST) -> None:
        kind, own = type(node), node.__dict__
        number = self._kinds.get(kind)
        if number is None:
            number = self._kinds[kind] = len(self._kinds)
            self.kinds[kind.__name__] = kind._fields
        self.stream.append(number)
        if kind._attributes:
            line, column = own["lineno"], own["col_offset"]
            end, last = own.get("end_lineno") or line, own.get("end_col_offset") or column
            self.stream += [line - self._line, end - line, column, last - column]
            self._line = line
        if kind._fields:
            self.write({name: own[name] for name in own.keys() & _NOTES} or None)
        for name in kind._fields:
            self.write(own.get(name))

    def _value(self, value: Any) -> int:
        if isinstance(value, float | complex | dict) or value is ...:  # 0.0 and -0.0 are equal
            key: Any = (type(value), repr(value))
        else:
            key = (type(value), value)
        number = self._values.get(key)
        if number is None:
            number = self._values[key] = len(self.values)
            self.values.append(_Constant.packed(value))
        return number


class _Reader:
    def __init__(self, kinds: Kinds, values: list[Any], stream: list[int]) -> None:
        self._kinds = kinds
        self._values = [_Constant.unpacked(one) for one in values]
        self._stream = iter(stream)
        self._line = 0

    def read(self) -> Any:
        number = next(self._stream)
        if number == _VALUE:
            return self._values[next(self._stream)]
        if number == _LIST:
            return [self.read() for _ in range(next(self._stream))]
        kind, fields = self._kinds[number]
        node = kind.__new__(kind)
        own = node.__dict__
        if kind._attributes:
            stream = self._stream
            self._line = own["lineno"] = self._line + next(stream)
            own["end_lineno"] = self._line + next(stream)
            column = own["col_offset"] = next(stream)
            own["end_col_offset"] = column + next(stream)
        if fields:
            own.update(self.read() or {})
        for name in fields:
            value = self.read()
            if name in kind._fields:
                own[name] = value
            elif value:
                raise UnknownForm(f"this version of Python has no {name} in {kind.__name__}")
        if fields != kind._fields:
            own |= {name: [] if name == "type_params" else None for name in {*kind._fields} - {*fields}}
        return node


def _kind(name: str) -> type[ast.AST]:
    found = getattr(ast, name, None)
    if not (isinstance(found, type) and issubclass(found, ast.AST)):
        raise UnknownForm(f"this version of Python has no {name} in its syntax")
    return found


class _Constant:
    """Constants of source that a pickle would name by a class: a tuple tells which one it is."""

    @staticmethod
    def packed(value: Any) -> Any:
        if value is ...:
            return ("...",)
        return ("complex", value.real, value.imag) if isinstance(value, complex) else value

    @staticmethod
    def unpacked(value: Any) -> Any:
        if value.__class__ is not tuple:
            return value
        return ... if value[0] == "..." else complex(*value[1:])


class _Plain(pickle.Unpickler):
    """Numbers, strings and what holds them."""

    def find_class(self, module: str, name: str) -> Any:
        raise UnknownForm(f"its code is kept with {name} of {module}, which no form has")
