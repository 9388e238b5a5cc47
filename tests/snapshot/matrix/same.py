"""Whether two objects are the same in all that a flow could see: content, types, and what is shared inside.

Walks both in step. An object met twice in one must be met twice, at the same places, in the other: so two
names for one list, a shared closure cell or a view of an array cannot be lost unseen.
"""

from __future__ import annotations

import re
import sys
import types
from collections import deque
from collections.abc import Iterator
from typing import Any

_ATOMS = (str, bytes, int, float, complex, bool, type(None), range, slice)
_MAY_BE_COPIES = (tuple, frozenset)
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")
_OF_CONSTANTS = ("datetime", "decimal", "fractions", "uuid", "re", "zoneinfo", "pathlib")
_OF_CLASSES = frozenset({"__dict__", "__weakref__", "__doc__", "__module__", "_abc_impl", "__slotnames__"})


def same(a: Any, b: Any) -> str:
    """An empty text, or what differs first."""
    return next(_Walk().differences(a, b), "")


class _Walk:
    def __init__(self) -> None:
        self._there: dict[int, Any] = {}
        self._back: dict[int, Any] = {}
        self._alive: list[Any] = []

    def differences(self, a: Any, b: Any) -> Iterator[str]:
        waiting: deque[tuple[str, Any, Any]] = deque([("it", a, b)])
        while waiting:
            path, one, other = waiting.popleft()
            if type(one) in _ATOMS or type(other) in _ATOMS:
                if type(one) is not type(other) or repr(one) != repr(other):
                    yield f"{path}: {one!r:.80} is {other!r:.80}"
                continue
            if isinstance(one, types.ModuleType) or (isinstance(one, type) and _is_everywhere(one)):
                if one is not other:
                    yield f"{path}: not the same {one!r:.80}"
                continue
            if _is_constant(one):
                if type(one) is not type(other) or (one != other and repr(one) != repr(other)):
                    yield f"{path}: {one!r:.80} is {other!r:.80}"
                continue
            if id(one) in self._there or id(other) in self._back:
                is_same = self._there.get(id(one)) is other and self._back.get(id(other)) is one
                if not is_same and not isinstance(one, _MAY_BE_COPIES):
                    yield f"{path}: not shared as it was ({type(one).__name__})"
                if is_same:
                    continue
            self._there[id(one)], self._back[id(other)] = other, one
            self._alive += [one, other]
            try:
                for step, left, right in _steps(one, other):
                    if step.startswith("!"):
                        yield f"{path}: {step[1:]}: {left!r:.80} is {right!r:.80}"
                    else:
                        waiting.append((path + step, left, right))
            except _Differs as difference:
                yield f"{path}: {difference}"


class _Differs(Exception):
    pass


Steps = Iterator[tuple[str, Any, Any]]


def _is_everywhere(cls: type) -> bool:
    found: Any = sys.modules.get(cls.__module__)
    for part in cls.__qualname__.split("."):
        found = getattr(found, part, None)
    return found is cls and cls.__module__ != "__main__"


def _is_constant(subject: Any) -> bool:
    return type(subject).__module__.partition(".")[0] in _OF_CONSTANTS


def _equal(what: str, a: Any, b: Any) -> None:
    if type(a) is not type(b) or a != b:
        raise _Differs(f"{what}: {a!r:.80} is {b!r:.80}")


def _steps(a: Any, b: Any) -> Steps:
    if isinstance(a, type) and isinstance(b, type):
        yield from _of_class(a, b)
        return
    if type(a) is not type(b):
        if _is_everywhere(type(a)) or type(a).__qualname__ != type(b).__qualname__:
            raise _Differs(f"type {type(a)} is {type(b)}")
        yield ".__class__", type(a), type(b)
    for test, compare in _COMPARISONS:
        if test(a):
            yield from compare(a, b)
            return
    yield from _of_object(a, b)


def _of_class(a: type, b: type) -> Steps:
    _equal("name", (a.__qualname__, a.__module__), (b.__qualname__, b.__module__))
    yield "'s metaclass", type(a), type(b)
    yield "'s bases", a.__bases__, b.__bases__
    old = {name: value for name, value in a.__dict__.items() if name not in _OF_CLASSES}
    new = {name: value for name, value in b.__dict__.items() if name not in _OF_CLASSES}
    _equal("attributes", sorted(map(str, old)), sorted(map(str, new)))
    for name, value in old.items():
        if not isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType):
            yield f".{name}", value, new[name]


def _of_function(a: Any, b: Any) -> Steps:
    _equal("code", _code(a.__code__), _code(b.__code__))
    for name in ("__name__", "__qualname__", "__doc__", "__defaults__", "__kwdefaults__", "__dict__"):
        yield f".{name}", getattr(a, name), getattr(b, name)
    yield "'s cells", a.__closure__, b.__closure__


def _code(code: types.CodeType) -> Any:
    constants = [_code(one) if isinstance(one, types.CodeType) else repr(one) for one in code.co_consts]
    return code.co_code, code.co_names, code.co_varnames, code.co_freevars, constants


def _of_wrapped(a: Any, b: Any) -> Steps:
    yield ".__func__", a.__func__, b.__func__


def _of_cell(a: Any, b: Any) -> Steps:
    contents: list[Any] = []
    for cell in (a, b):
        try:
            contents.append([cell.cell_contents])
        except ValueError:
            contents.append([])
    yield "'s content", *contents


def _of_dict(a: Any, b: Any) -> Steps:
    keys, others = list(dict.keys(a)), list(dict.keys(b))
    if len(keys) != len(others):
        raise _Differs(f"keys {keys!r:.100} are {others!r:.100}")
    for number, (key, other) in enumerate(zip(keys, others, strict=True)):
        yield f", key {number}", key, other
        yield f"[{key!r:.40}]", dict.__getitem__(a, key), dict.__getitem__(b, other)
    if type(a) is not dict:
        yield from _attributes(a, b)


def _of_sequence(a: Any, b: Any) -> Steps:
    if len(a) != len(b):
        raise _Differs(f"length {len(a)} is {len(b)}")
    if isinstance(a, deque):
        _equal("maxlen", a.maxlen, b.maxlen)
    base: Any = next(kind for kind in (list, tuple, deque) if isinstance(a, kind))
    for number, (one, other) in enumerate(zip(base.__iter__(a), base.__iter__(b), strict=True)):
        yield f"[{number}]", one, other
    yield from _attributes(a, b)


def _of_set(a: Any, b: Any) -> Steps:
    if sorted(map(_text, a)) != sorted(map(_text, b)):
        raise _Differs(f"{a!r:.80} is {b!r:.80}")
    yield from _attributes(a, b)


def _text(subject: Any) -> str:
    return _ADDRESS.sub("0x", repr(subject))


def _of_exception(a: Any, b: Any) -> Steps:
    for name in ("args", "__cause__", "__context__", "__suppress_context__"):
        yield f".{name}", getattr(a, name), getattr(b, name)
    _equal("traceback", _places(a.__traceback__), _places(b.__traceback__))
    _equal("text", str(a), str(b))
    yield from _attributes(a, b)


def _places(traceback: Any) -> list[Any]:
    places = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        places.append((code.co_filename, code.co_name, traceback.tb_lineno))
        traceback = traceback.tb_next
    # The outermost frames are those of whoever evaluates the expression.
    return [place for place in places if place[0] == "matrix.py"]


def _of_array(a: Any, b: Any) -> Steps:
    numpy = sys.modules["numpy"]
    _equal("dtype", (str(a.dtype), a.dtype.metadata), (str(b.dtype), b.dtype.metadata))
    if a.dtype.isbuiltin == 1 and a.dtype is numpy.dtype(a.dtype.str) and b.dtype is not a.dtype:
        raise _Differs("its dtype is another object than everybody's")
    _equal("shape", a.shape, b.shape)
    for flag in ("C_CONTIGUOUS", "F_CONTIGUOUS", "WRITEABLE", "ALIGNED"):
        _equal(flag, a.flags[flag], b.flags[flag])
    if a.dtype.hasobject:
        yield " as a list", a.tolist(), b.tolist()
    elif a.tobytes() != b.tobytes() and not _equal_but_for_gaps(a, b):
        raise _Differs(f"content {a!r:.80} is {b!r:.80}")
    if isinstance(a, numpy.ma.MaskedArray):
        yield "'s mask", numpy.asarray(a.mask), numpy.asarray(b.mask)
        _equal("fill", str(a.fill_value), str(b.fill_value))
        _equal("hard mask", a.hardmask, b.hardmask)
    if isinstance(a.base, numpy.ndarray) and a.size and not isinstance(a, numpy.ma.MaskedArray):
        if not isinstance(b.base, numpy.ndarray):
            raise _Differs("no view any more")
        _equal("strides", a.strides, b.strides)
        yield "'s base", a.base, b.base
        if isinstance(a.base, numpy.ndarray) and a.base.size:
            place = a.ctypes.data - a.base.ctypes.data
            _equal("place in its base", place, b.ctypes.data - b.base.ctypes.data)


def _equal_but_for_gaps(a: Any, b: Any) -> bool:
    """Bytes between the fields of a structure, or within a longdouble, belong to nobody."""
    has_gaps = a.dtype.names is not None or a.dtype.char in "gG"
    return has_gaps and bool((a == b).all())


def _of_numpy_scalar(a: Any, b: Any) -> Steps:
    _equal("value", (str(a.dtype), repr(a)), (str(b.dtype), repr(b)))
    return iter(())


def _of_pandas(a: Any, b: Any) -> Steps:
    pandas = sys.modules["pandas"]
    test: Any = pandas.testing
    try:
        if isinstance(a, pandas.DataFrame):
            test.assert_frame_equal(a, b, check_freq=True, check_flags=True, check_exact=True)
        elif isinstance(a, pandas.Series):
            test.assert_series_equal(a, b, check_freq=True, check_flags=True, check_exact=True)
        elif isinstance(a, pandas.Index):
            test.assert_index_equal(a, b, exact=True, check_exact=True)
            _equal("freq", str(getattr(a, "freq", None)), str(getattr(b, "freq", None)))
        elif isinstance(a, pandas.api.extensions.ExtensionArray):
            test.assert_extension_array_equal(a, b, check_exact=True)
        else:
            yield from _of_object(a, b)
            return
    except AssertionError as error:
        raise _Differs(" ".join(str(error).split())) from None
    _equal("dtypes", str(getattr(a, "dtypes", "")), str(getattr(b, "dtypes", "")))
    yield ".attrs", getattr(a, "attrs", {}), getattr(b, "attrs", {})
    if isinstance(a, pandas.DataFrame):
        for name in getattr(a, "_metadata", []):
            yield f".{name}", getattr(a, name), getattr(b, name)
        yield from (
            (f"[{name!r}]", list(a[name]), list(b[name])) for name in a.columns if _is_object(a, name)
        )


def _is_object(frame: Any, name: Any) -> bool:
    return str(getattr(frame[name], "dtype", "")) == "object"


def _of_polars(a: Any, b: Any) -> Steps:
    polars = sys.modules["polars"]
    if isinstance(a, polars.LazyFrame):
        a, b = a.collect(), b.collect()
    if isinstance(a, polars.DataFrame | polars.Series):
        _equal("schema", str(getattr(a, "schema", a)), str(getattr(b, "schema", b)))
        if not a.equals(b, null_equal=True):
            raise _Differs(f"{a} is {b}")
        return
    if isinstance(a, polars.Expr):
        _equal("expression", str(a), str(b))
        return
    yield from _of_object(a, b)


def _of_arrow(a: Any, b: Any) -> Steps:
    if hasattr(a, "equals"):
        try:
            is_equal = a.equals(b, check_metadata=True)
        except TypeError:
            is_equal = a.equals(b)
        if not is_equal:
            raise _Differs(f"{a!s:.80} is {b!s:.80}")
        _equal("schema", str(getattr(a, "schema", "")), str(getattr(b, "schema", "")))
        return
    yield from _of_object(a, b)


def _of_torch(a: Any, b: Any) -> Steps:
    torch: Any = sys.modules["torch"]
    for name in ("dtype", "shape", "requires_grad", "is_leaf", "device", "layout"):
        _equal(name, str(getattr(a, name)), str(getattr(b, name)))
    if not torch.equal(a.detach().to_dense(), b.detach().to_dense()):
        raise _Differs("content")
    if a.is_leaf and a.layout is torch.strided:
        _equal("stride", (a.stride(), a.storage_offset()), (b.stride(), b.storage_offset()))
        yield ".grad", a.grad, b.grad


def _of_object(a: Any, b: Any) -> Steps:
    steps = list(_attributes(a, b))
    for kind, compare in ((dict, _of_dict), (list, _of_sequence), (tuple, _of_sequence), (set, _of_set)):
        if isinstance(a, kind):
            yield from compare(a, b)
            return
    yield from steps
    if type(a).__eq__ is object.__eq__ and (type(a) is object or hasattr(a, "__dict__")):
        return  # nothing but its attributes makes it what it is
    if not steps or "__eq__" in vars(type(a)):
        try:
            is_equal = bool(a == b)
        except Exception:
            is_equal = False
        if not is_equal and not (steps and type(a) is not type(b)) and not _equal_by_text(a, b):
            raise _Differs(f"{a!r:.100} is {b!r:.100}")


def _equal_by_text(a: Any, b: Any) -> bool:
    text = _text(a)
    return text == _text(b) and not re.fullmatch(r"<[\w.]+ object at 0x>", text)


def _attributes(a: Any, b: Any) -> Steps:
    old, new = getattr(a, "__dict__", None), getattr(b, "__dict__", None)
    if isinstance(old, dict) and isinstance(new, dict):
        if set(old) != set(new):
            raise _Differs(f"attributes {sorted(map(str, old))} are {sorted(map(str, new))}")
        for name in old:
            yield f".{name}", old[name], new[name]
    for base in type(a).__mro__:
        for name, member in base.__dict__.items():
            if isinstance(member, types.MemberDescriptorType) and name != "__weakref__":
                values: list[Any] = []
                for subject in (a, b):
                    try:
                        values.append([getattr(subject, name)])
                    except AttributeError:
                        values.append([])
                yield f".{name}", *values


def _from(library: str, name: str) -> Any:
    """Whether something is an instance of a class of a library that may not be imported."""

    def test(subject: Any) -> bool:
        loaded: Any = sys.modules.get(library)
        kind = getattr(loaded, name, None) if loaded is not None else None
        return kind is not None and isinstance(subject, kind)

    return test


def _of_library(name: str) -> Any:
    return lambda subject: type(subject).__module__.partition(".")[0] == name


_COMPARISONS: list[tuple[Any, Any]] = [
    (lambda one: isinstance(one, types.FunctionType), _of_function),
    (lambda one: isinstance(one, types.CellType), _of_cell),
    (lambda one: isinstance(one, staticmethod | classmethod), _of_wrapped),
    (lambda one: type(one) is dict, _of_dict),
    (lambda one: type(one) in (list, tuple, deque), _of_sequence),
    (lambda one: type(one) in (set, frozenset), _of_set),
    (lambda one: isinstance(one, BaseException), _of_exception),
    (_from("numpy", "ndarray"), _of_array),
    (_from("numpy", "generic"), _of_numpy_scalar),
    (_from("torch", "Tensor"), _of_torch),
    (_of_library("pandas"), _of_pandas),
    (_of_library("polars"), _of_polars),
    (_of_library("pyarrow"), _of_arrow),
]
