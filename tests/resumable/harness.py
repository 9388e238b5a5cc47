"""Stop everywhere: run a program, stop at each of its calls, go on in a fresh process, compare everything.

A program calls `point(value)`, which returns the value, and `fail(error)`, which raises; both stand for
Flow-API calls. `journey` runs it once without stopping and keeps a pickled savepoint of every call.
Other processes go on (`workers`), which never ran the program: nothing but bytes gets across.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import gc
import io
import os
import pickle
import random
import re
import struct
import sys
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import cloudpickle

from jupyter_flows import resumable
from jupyter_flows.resumable import knowledge, units

from .workers import Worker, worker

try:
    from jupyter_flows.snapshot.registry import find as snapshot_reducer
except ImportError:  # an interpreter without packages: iterators of C are not kept
    snapshot_reducer = None  # type: ignore[assignment]

NAMESPACE = "the flow's namespace"


#: Modules of C whose iterators are kept at their place by the reducers of snapshots.
_WITH_ITERATORS = ("builtins", "collections", "itertools", "_collections", "_csv")


class Outcome(BaseException):
    """Stops a program at once."""


class FlowPickler(cloudpickle.Pickler):
    """Functions and cells of units by our reducers, the namespace by reference, classes by cloudpickle."""

    def __init__(self, file: Any, namespace: dict[str, Any]) -> None:
        super().__init__(file, protocol=5)
        self._namespace = namespace
        self.units: set[str] = set()
        self._bare: set[int] = set()

    def persistent_id(self, obj: Any) -> Any:
        return NAMESPACE if obj is self._namespace else None

    def reducer_override(self, obj: Any) -> Any:
        unit = resumable.unit_of(obj.__code__) if isinstance(obj, types.FunctionType) else None
        if unit is not None:
            self.units.add(unit.digest)
            return resumable.reduce_function(obj)
        if isinstance(obj, types.CellType):
            return resumable.reduce_cell(obj)
        if isinstance(obj, BaseException):
            return _reduce_error(obj, self._bare)
        if isinstance(obj, types.TracebackType):
            return _no_traceback, ()  # keeping what can be read of one is the snapshot's part
        if isinstance(obj, functools.cached_property):
            return _cached_property, (obj.func, obj.attrname)
        if isinstance(obj, struct.Struct):
            return struct.Struct, (obj.format,)
        if isinstance(obj, types.GeneratorType | types.CoroutineType | types.AsyncGeneratorType):
            return resumable.reduce_generator(obj)
        if isinstance(obj, types.BuiltinMethodType | types.MethodWrapperType):
            return resumable.reduce_builtin_method(obj)
        is_iterator = _keeps_iterators and type(obj).__module__ in _WITH_ITERATORS
        if not _keeps_iterators and type(obj).__name__.startswith(("dict_", "set_", "_deque")):
            raise TypeError("iterators of dictionaries, sets and deques need the reducers of snapshots")
        if (
            _is_other_version
            and isinstance(obj, types.FunctionType)
            and getattr(sys.modules.get(obj.__module__), obj.__qualname__.split(".")[0], None) is None
        ):
            raise TypeError("what a library made is bytecode of one version here; snapshots know better")
        reducer = snapshot_reducer(type(obj)) if is_iterator else None
        if (
            reducer is not None
            and not isinstance(obj, type)
            and (hasattr(obj, "__next__") or type(obj).__module__ == "_csv")
        ):
            return reducer(obj, None)
        reduced = super().reducer_override(obj)
        if isinstance(obj, type) and isinstance(reduced, tuple) and len(reduced) == 6:
            reduced[2][0]["__qualname__"] = obj.__qualname__  # which cloudpickle loses
        return reduced


def _reduce_error(error: BaseException, bare: set[int]) -> Any:
    reduced = error.__reduce_ex__(5)
    assert isinstance(reduced, tuple)
    if id(error) in bare:  # the group that it is a part of brings its state
        return reduced[:2]
    parts = _parts(error)
    bare.update(map(id, parts))
    return (*reduced[:2], [(one, _state(one)) for one in (error, *parts)], None, None, _restore_errors)


def _state(error: BaseException) -> tuple[Any, ...]:
    return error.__dict__, error.__context__, error.__cause__, error.__suppress_context__


def _parts(error: BaseException) -> list[BaseException]:
    found: list[BaseException] = []
    for one in error.exceptions if isinstance(error, BaseExceptionGroup) else ():
        found += [one, *_parts(one)]
    return found


def _cached_property(function: Any, name: str) -> Any:
    made = functools.cached_property(function)
    made.attrname = name
    return made


def _no_traceback() -> None:
    return None


def _restore_errors(_: BaseException, kept: list[Any]) -> None:
    for error, state in kept:
        own, error.__context__, error.__cause__, error.__suppress_context__ = state
        error.__dict__.update(own)


class FlowUnpickler(pickle.Unpickler):
    def __init__(self, file: Any, namespace: dict[str, Any]) -> None:
        super().__init__(file)
        self._namespace = namespace

    def persistent_load(self, pid: Any) -> Any:
        assert pid == NAMESPACE
        return self._namespace


@dataclass
class Result:
    """What a run leaves behind."""

    printed: str
    error: str | None
    variables: dict[str, str]
    points: list[str]


@dataclass
class Stop:
    """A savepoint: its bytes, and what had happened before it."""

    data: bytes | None
    reason: str | None
    printed: str
    points: list[str]
    site: resumable.Place | None = None


@dataclass
class Runner:
    """One process's side of a program."""

    on_call: Callable[[Runner, resumable.Continuation, Any, bool], None] | None = None
    wanted: frozenset[int] | None = None  # numbers of the calls that matter
    points: list[str] = field(default_factory=list)
    namespace: dict[str, Any] = field(default_factory=dict)
    out: io.StringIO = field(default_factory=io.StringIO)

    def _call(self, callee: Any, value: Any, raises: bool) -> Any:
        frame = sys._getframe(2)
        if self.on_call is not None and (self.wanted is None or len(self.points) in self.wanted):
            self.on_call(self, resumable.capture(frame, callee), value, raises)
        self.points.append(described(value))
        if raises:
            raise value
        return value

    def run(self, action: Callable[[], Any]) -> Result:
        error = None
        with contextlib.redirect_stdout(self.out):
            try:
                outcome = action()
                if isinstance(outcome, types.CoroutineType):
                    resumable.finish_coroutine(outcome)
            except Exception as caught:
                error = f"{type(caught).__name__}: {caught}"
        return Result(self.out.getvalue(), error, readable(self.namespace), self.points)

    def stop(self, continuation: resumable.Continuation, value: Any, raises: bool) -> Stop:
        """A savepoint of this call, or why there can be none."""
        data, reason = None, continuation.inexact_reason
        if continuation.exact:
            try:
                data = self.save(continuation, value, raises)
            except (resumable.NotResumable, TypeError, pickle.PicklingError) as refused:
                reason = str(refused)
        return Stop(data, reason, self.out.getvalue(), list(self.points), continuation.site)

    def save(self, continuation: resumable.Continuation, value: Any, raises: bool) -> bytes:
        file = io.BytesIO()
        shown = {key: one for key, one in self.namespace.items() if key not in _HIDDEN and key[0] != "."}
        if "random" in shown:
            shown[_NUMBERS] = random.getstate()
        pickler = FlowPickler(file, self.namespace)
        pickler.dump((continuation, continuation.locals(), shown, value, raises))
        kept = {digest: dataclasses.astuple(resumable.kept_unit(digest)) for digest in pickler.units}
        return pickle.dumps((kept, file.getvalue()))

    def loaded(self, data: bytes) -> Any:
        """What `save` was given, and the values of the frames."""
        kept, saved = pickle.loads(data)
        for digest, unit in kept.items():
            resumable.register_source(digest, *unit)
        return FlowUnpickler(io.BytesIO(saved), self.namespace).load()

    def go_on(self, data: bytes) -> Result:
        continuation, values, names, value, raises = self.loaded(data)
        if _NUMBERS in names:
            random.setstate(names.pop(_NUMBERS))
        self.namespace.update(names)
        continuation = continuation.with_locals(values)
        self.points.append(described(value))
        del values, names  # what only the frames refer to must go when they let it go
        outcome = {"error": value} if raises else {"value": value}
        return self.run(lambda: continuation.resume(namespace=self.namespace, **outcome))


_NUMBERS = ".random numbers"
_current: Runner | None = None
_keeps_iterators = False
_is_other_version = False  # the one that goes on
_HIDDEN = frozenset({"__builtins__", "__name__", "point", "__point__", "fail", "__annotations__"})


def point(value: Any = None) -> Any:
    """A Flow-API call that returns its argument."""
    assert _current is not None
    return _current._call(point, value, False)


def fail(error: BaseException) -> Any:
    """A Flow-API call that raises its argument."""
    assert _current is not None
    return _current._call(fail, error, True)


class Api:
    """`this.point(…)`, as flows write it."""

    def point(self, value: Any = None) -> Any:
        assert _current is not None
        return _current._call(self.point, value, False)

    def __repr__(self) -> str:
        return "Api()"

    def __reduce__(self) -> Any:
        return Api, ()


def new_runner(on_call: Any = None) -> Runner:
    global _current
    _current = None
    gc.collect()  # what an earlier program left must not speak up in this one
    gc.freeze()
    _current = Runner(on_call)
    _current.namespace.update(__name__="__main__", point=point, fail=fail, this=Api(), __point__=point)
    return _current


def described(value: Any) -> str:
    return (
        type(value).__name__
        if isinstance(value, BaseException)
        else re.sub(" at 0x[0-9a-f]+", "", repr(value))
    )


def readable(namespace: dict[str, Any]) -> dict[str, str]:
    kinds = (int, float, str, bool, list, dict, tuple, set, type(None))
    return {
        name: repr(value)
        for name, value in namespace.items()
        if isinstance(value, kinds) and name not in _HIDDEN and " at 0x" not in repr(value)
    }


def plain_run(source: str) -> Result:
    """The program as Python itself runs it."""
    runner = new_runner()
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT if awaits(source) else 0
    code = compile(source, "plain.py", "exec", flags, dont_inherit=True)
    return runner.run(lambda: eval(code, runner.namespace))


def awaits(source: str) -> bool:
    """Whether it is a cell with `await` at top level; such a program must not end with an expression."""
    try:
        compile(source, "plain.py", "exec", dont_inherit=True)
    except SyntaxError:
        return True
    return False


def live_later() -> None:
    """Be a later version of jupyter_flows, whose rules give every place and every temporary another name."""
    if units.RULES == _LATER:
        return
    normalised = units.normalise

    def later(*arguments: Any) -> Any:
        tree, used = normalised(*arguments)
        for node in list(ast.walk(tree)):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
                at = next((one for one in node.body if hasattr(one, "lineno")), node)
                start = 1 if ast.get_docstring(node, clean=False) is not None else 0
                while start < len(node.body) and isinstance(node.body[start], ast.ImportFrom):
                    start += 1
                node.body.insert(start, ast.copy_location(ast.Pass(), at))
            elif isinstance(node, ast.Name) and re.fullmatch(r"\.[1-9]\d*", node.id):
                node.id = f".later{node.id}"
        return tree, used

    units.RULES, units.normalise = _LATER, later


_LATER = 10_000


def can_keep_iterators() -> bool:
    return snapshot_reducer is not None


def forget(keeps_iterators: bool, is_other_version: bool) -> None:
    """What one program taught this process must not count for the next."""
    global _keeps_iterators, _is_other_version
    _keeps_iterators, _is_other_version = keeps_iterators, is_other_version
    knowledge.KNOWN.__init__()  # type: ignore[misc]
    units._units.clear()


def journey(source: str, wanted: frozenset[int] | None = None) -> tuple[Result, list[Stop]]:
    """Run the program as a unit, without stopping, with a savepoint at every call, or at the wanted ones."""
    stops: list[Stop] = []

    def on_call(runner: Runner, continuation: resumable.Continuation, value: Any, raises: bool) -> None:
        stops.append(runner.stop(continuation, value, raises))

    runner = new_runner(on_call)
    runner.wanted = wanted
    unit = resumable.compile_unit(source, "program.py", interactive=awaits(source))
    return runner.run(lambda: eval(unit.code, runner.namespace)), stops


def in_child(action: Callable[[], Any]) -> Any:
    """Run in a forked process, give what it returns (or the traceback it died of, as an AssertionError)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            answer: Any = (True, action())
        except BaseException:
            answer = (False, traceback.format_exc())
        with os.fdopen(writing, "wb") as file:
            pickle.dump(answer, file)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        data = file.read()
    os.waitpid(child, 0)
    good, answer = pickle.loads(data)
    assert good, answer
    return answer


def go_on(data: bytes) -> Result:
    """Go on from a savepoint to the program's end."""
    # cloudpickle finds a class that it has made before; here, each savepoint brings classes of its own.
    cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.clear()
    return new_runner().go_on(data)


def go_on_to_next(data: bytes) -> tuple[Result | None, Stop | None]:
    """Go on to the next call only."""
    cloudpickle.cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID.clear()
    found: list[Stop] = []

    def on_call(runner: Runner, continuation: resumable.Continuation, value: Any, raises: bool) -> None:
        found.append(runner.stop(continuation, value, raises))
        raise Outcome

    runner = new_runner(on_call)
    result = None
    try:
        result = runner.go_on(data)
    except BaseException:  # Outcome, an error of a `finally` block in its place, or a group that holds it
        if not found:
            raise
    return (None, found[0]) if found else (result, None)


def compare(
    source: str,
    *,
    most: int | None = None,
    chained: bool = True,
    exact: bool = True,
    captures: str = sys.executable,
    python: str = sys.executable,
    later: bool = False,
    unbound_alike: bool = False,
) -> int:
    """Stop everywhere and compare; gives the number of exact stops. Raises AssertionError if they differ.

    Arguments: `most` limits at how many calls there are savepoints (the first, the last, and some between);
    `chained` also stops again and again, each process getting only as far as the next call; `exact` says
    that no stop may be inexact; `captures` and `python` are the interpreters that stop and that go on, the
    latter with a `later` version of jupyter_flows; `unbound_alike` takes the two errors of a variable that is
    not bound for one: a known difference (docs/resumable.md) which made-up programs run into.
    """
    compared = _alike if unbound_alike else same
    roles = ("second later", "third later") if later else ("second", "third")
    first, second, third = worker("first", captures), worker(roles[0], python), worker(roles[1], python)
    keeps_iterators = first.ask("can_keep_iterators") and second.ask("can_keep_iterators")
    for one in (first, second, third):
        one.ask("forget", keeps_iterators, captures != python)
    for one in (second, third) if later else ():
        one.ask("live_later")
    plain = first.ask("plain_run", source)
    whole, stops = first.ask("journey", source, _sample(source, len(plain.points), most))
    if unbound_alike:
        _alike(plain, "", [], whole, "normalised differs from plain")
    else:
        assert whole == plain, f"normalised differs from plain:\n{whole}\n{plain}"
    if python != captures and second.ask("plain_run", source) != plain:
        return 0  # on that version the program itself does something else
    for stop in stops:
        assert stop.data is not None or not exact, f"the stop at {stop.site} is inexact: {stop.reason}"
    exact_stops = [stop for stop in stops if stop.data is not None]
    for stop in exact_stops:
        result = second.ask("go_on", stop.data)
        compared(whole, stop.printed, stop.points, result, f"stop {len(stop.points)} at {stop.site}")
    if chained and exact_stops:
        _compare_chain(whole, exact_stops[0], (second, third), most or len(stops), compared)
    return len(exact_stops)


def _sample(source: str, count: int, most: int | None) -> frozenset[int] | None:
    if most is None or count <= most:
        return None
    between = random.Random(source).sample(range(1, count - 1), max(most - 2, 0))
    return frozenset([0, count - 1, *between])


def _compare_chain(
    whole: Result, stop: Stop, workers: tuple[Worker, Worker], most: int, compared: Callable[..., None]
) -> None:
    """Stop again and again: each process gets only as far as the next call, and another one goes on."""
    printed, points = stop.printed, list(stop.points)
    number = 0
    while stop.data is not None and number <= most:
        result, following = workers[number % 2].ask("go_on_to_next", stop.data)
        number += 1
        if result is not None:
            compared(whole, printed, points, result, f"process {number} of a chain")
            return
        assert following is not None
        printed += following.printed
        points += following.points
        stop = following


def _alike(whole: Result, printed: str, points: list[str], result: Result, where: str) -> None:
    def known(text: str) -> str:
        return _UNBOUND.sub("is not bound", text.replace("UnboundLocalError", "NameError"))

    def told(one: Result) -> Result:
        points = [known(point) for point in one.points]
        return Result(known(one.printed), one.error and known(one.error), one.variables, points)

    same(told(whole), known(printed), [known(point) for point in points], told(result), where)


_UNBOUND = re.compile(
    r"cannot access (?:local|free) variable '\w+' where it is not associated with a value"
    r"(?: in enclosing scope)?"
)


def same(whole: Result, printed: str, points: list[str], result: Result, where: str) -> None:
    assert printed + result.printed == whole.printed, (
        f"{where}: printed {printed + result.printed!r} instead of {whole.printed!r} ({result.error})"
    )
    assert points + result.points == whole.points, f"{where}: {points + result.points} != {whole.points}"
    assert result.error == whole.error, f"{where}: {result.error} != {whole.error}"
    assert result.variables == whole.variables, f"{where}: {result.variables} != {whole.variables}"
