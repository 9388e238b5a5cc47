"""One group of objects becomes one pickle stream, at C speed where nothing goes wrong.

Three picklers with the same reducers. The *fast* one is C's. When it raises, the group is done again by the
*careful* one: also C's, but each object is reduced under guard, and one that cannot be becomes a
placeholder. What is nested deeper than C's stack is done by the standard library's pickler in Python, whose
depth is bounded by memory alone.

Objects that every process has (the flow's namespace, builtins, sys.modules) are put into the memo before a
group is pickled, which costs nothing per object; a `persistent_id` method would be called for each of them.
"""

from __future__ import annotations

import copyreg
import itertools
import pickle
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import xxhash

from .. import reducer as of_users
from ..model import Missing
from . import of_modules, registry, rehearsal
from .chunks import ChunkWriter, MemoryChunks
from .guard import Guard
from .manifest import Buffer
from .memo import Memo
from .paths import Paths
from .picklers import PIECE_BYTES, PROTOCOL, DeepPickler, FastPickler, ReferringPickler, Sink, Unfit
from .references import is_importable, memo_of_known
from .written import Reference

#: From this size on (bytes) a buffer leaves the stream.
BUFFER_BYTES = 16 * 1024
#: The memo of a shorter stream (bytes) is copied in less time than its table is found.
_SMALL_STREAM = 4096
_NUMBERS = frozenset({int, float, bool, type(None)})
_DEEP = 2_000_000


class Saving:
    """What reducers may ask for, and tell, while a group is pickled."""

    def __init__(self, namespace: dict[str, Any], keep: Callable[[Any, memoryview, int], Buffer]) -> None:
        self.namespace = namespace
        self._keep = keep
        #: The memory of arrays, kept outside of the stream.
        self.memories: list[Buffer] = []
        #: Arrays whose memory no other object may be seen to share, by id (pandas looks after its own).
        self.private: dict[int, Any] = {}
        #: Digests of the units that the objects refer to.
        self.units: set[str] = set()
        #: Classes and functions kept by value: they are state like any other object.
        self.by_value: dict[int, Any] = {}
        self.missing: list[Missing] = []
        #: Exceptions, by id, that the group which holds them gives their state.
        self.bare: dict[int, BaseException] = {}

    def keep_memory(self, owner: Any, memory: memoryview, line_bytes: int) -> int:
        """Keep the memory of `owner` outside of the stream; returns its number for `loaded_memory`."""
        self.memories.append(self._keep(owner, memory, line_bytes))
        return len(self.memories) - 1


class Pickled:
    """One pickle stream: its pieces (data, and where they are kept once that is known), its buffers."""

    memo: Memo

    def __init__(self) -> None:
        self.pieces: list[bytes | bytearray | memoryview] = []
        self.kept: dict[int, Reference] = {}
        self.buffers: list[Buffer] = []
        self.memories: tuple[Buffer, ...] = ()
        self.units: tuple[str, ...] = ()
        self.missing: tuple[Missing, ...] = ()
        self.digest = ""
        self.size = 0
        #: How many roots each of its pickles has.
        self.parts: tuple[int, ...] = ()
        #: How long it took.
        self.seconds = 0.0
        #: Puts more roots behind, in a further pickle with the same memo; None where that cannot be.
        self.extend: Callable[[list[Any]], None] | None = None

    def finish(self) -> None:
        hasher = xxhash.xxh3_128()
        for piece in self.pieces:
            hasher.update(len(piece).to_bytes(8, "little"))
            hasher.update(piece)
        outside = [*self.buffers, *self.memories]
        for buffer in outside:
            parts = "".join([f"{name[:32]}{length}" for name, _, length in buffer.references])
            hasher.update(parts.encode())
            hasher.update(b"r" if buffer.readonly else b"w")
        self.digest = hasher.hexdigest()
        self.size = sum(map(len, self.pieces)) + sum(buffer.bytes for buffer in outside)


def _number(roots: Sequence[Any]) -> Pickled:
    """The stream that a pickler with any memo would give: these refer to nothing, and nothing to them."""
    pickled = Pickled()
    pickled.pieces = [pickle.dumps(list(roots), PROTOCOL)]
    pickled.memo = Memo.empty()
    pickled.finish()
    return pickled


class GroupPickler:
    """Pickles groups for one save; equal buffers are hashed once."""

    def __init__(self, namespace: dict[str, Any], writer: ChunkWriter) -> None:
        self.namespace = namespace
        self._writer = writer
        self._known = memo_of_known(namespace)
        self._hashed: dict[int, tuple[Any, Buffer]] = {}
        self._lasting = _Lasting.now()
        self._reducers = dict(self._lasting)
        self._suspects: set[type[Any]] = set()
        #: Whether code of the flow may have run while groups were pickled, and so changed others of them.
        self.ran_code_of_the_flow = False

    def dump(self, names: Sequence[str], roots: Sequence[Any], parts: Sequence[int] = ()) -> Pickled:
        """The stream of the list of `roots`; never raises for what cannot be pickled, or would not load.

        Arguments: `parts`, how many roots each of its pickles is to have, where that matters.
        """
        pickled = self.dump_untried(names, roots, parts)
        if not self._suspects or pickled.size > rehearsal.MOST_BYTES:
            return pickled

        def objects() -> Iterator[Any]:
            return map(pickled.memo.subject, pickled.memo.ids())

        kinds = rehearsal.due({type(subject) for subject in objects()} & self._suspects)
        if not kinds:
            return pickled
        tried, subjects = rehearsal.with_samples(names, roots, kinds, objects)

        def load() -> list[Any]:
            from .loading import load_again

            chunks = MemoryChunks()
            again = GroupPickler(self.namespace, ChunkWriter(chunks, {})).dump_untried(tried, subjects)
            return load_again(tried, again, chunks, self.namespace)

        found = rehearsal.failures(pickled.digest, kinds, tried, subjects, pickled.missing, load)
        self._suspects = set(filter(rehearsal.is_suspect, self._suspects))
        if not found:
            return pickled
        guard = Guard(self, Paths(names, roots))
        unlocated = set(found)
        for failure, subject in rehearsal.located(tried, subjects, found):
            guard.stand_in(subject, failure.path, failure.reason)
            unlocated.discard(failure)
        pickled = self._carefully(FastPickler, names, roots, guard)
        late = [Missing(path=one.path, type="unknown", reason=one.reason) for one in unlocated]
        pickled.missing = (*pickled.missing, *late)
        return pickled

    def dump_untried(self, names: Sequence[str], roots: Sequence[Any], parts: Sequence[int] = ()) -> Pickled:
        """The same, whether it would load or not."""
        if len(roots) == 1 and type(roots[0]) in _NUMBERS:
            return _number(roots)
        saving = Saving(self.namespace, self._keep)
        try:
            return self._run(FastPickler, saving, list(roots), self._fast(saving), parts)
        except RecursionError:
            return self._carefully(DeepPickler, names, roots)
        except KeyboardInterrupt:
            raise
        except BaseException:  # an object that asks to exit is no reason to
            return self._carefully(FastPickler, names, roots)

    def _carefully(
        self, kind: Any, names: Sequence[str], roots: Sequence[Any], guard: Guard | None = None
    ) -> Pickled:
        guard = guard or Guard(self, Paths(names, roots))
        before = sys.getrecursionlimit()
        usual = kind
        while True:
            saving = Saving(self.namespace, self._keep)
            try:
                if kind is DeepPickler:
                    sys.setrecursionlimit(_DEEP)
                return self._run(kind, saving, guard.stand_ins(roots), guard.override(saving))
            except Unfit as unfit:
                guard.refuse_unfit(roots, unfit.subjects, unfit.reason)
                kind = usual
            except KeyboardInterrupt:
                raise
            except BaseException as error:
                if kind is DeepPickler:
                    guard.refuse_all(roots, error)
                elif isinstance(error, RecursionError):
                    usual = DeepPickler
                kind = DeepPickler  # which knows where it failed
            finally:
                sys.setrecursionlimit(before)

    def extended(self, pickled: Pickled, roots: Sequence[Any]) -> bool:
        """Put `roots` behind those of a stream; if False, it is of no use any more.

        Only while all objects in it are what they were when it was made.
        """
        if pickled.extend is None or self._suspects:
            return False
        try:
            pickled.extend(list(roots))
        except KeyboardInterrupt:
            raise
        except BaseException:
            return False
        return True

    def dump_beside(self, numbers: dict[int, int], roots: Sequence[Any]) -> Pickled | None:
        """A stream that refers to objects of another one; None where that cannot be.

        Arguments: `numbers`, those of the objects in the memo of the other stream, by id.
        """

        def made(*arguments: Any, **options: Any) -> ReferringPickler:
            pickler = ReferringPickler(*arguments, **options)
            pickler.numbers = numbers
            return pickler

        saving = Saving(self.namespace, self._keep)
        try:
            pickled = self._run(made, saving, list(roots), self._fast(saving))
        except KeyboardInterrupt:
            raise
        except BaseException:
            return None
        return None if pickled.missing or self._suspects else pickled

    def _run(
        self,
        kind: Any,
        saving: Saving,
        roots: list[Any],
        override: Callable[[Any], Any],
        parts: Sequence[int] = (),
    ) -> Pickled:
        sink, pickled = Sink(), Pickled()
        pickler = kind(sink, PROTOCOL, buffer_callback=lambda buffer: self._take(buffer, pickled))
        pickler.memo = dict(self._known)
        outside = set(self._known)

        def dump(parts: list[list[Any]]) -> None:
            begins = time.perf_counter()
            for part in parts:
                pickler.reducer_override = override  # what was given is let go of after each pickle
                pickler.dump(part)
                sink.close()
                outside.add(id(part))
                pickled.parts += (len(part),)
            pickled.pieces = sink.pieces
            # The known dictionaries and the lists of roots link no groups.
            is_small = sum(map(len, sink.pieces)) < _SMALL_STREAM
            pickled.memo = Memo(pickler, outside, saving.by_value, is_small)
            pickled.units = tuple(sorted(saving.units))
            pickled.missing = tuple(saving.missing)
            pickled.memories = tuple(saving.memories)
            pickled.finish()
            pickled.seconds += time.perf_counter() - begins

        def extend(roots: list[Any]) -> None:
            pickled.memo.give_up()
            dump([roots])

        dump(_divided(roots, parts))
        if kind is FastPickler and not pickled.missing:
            pickled.extend = extend
        return pickled

    def _take(self, view: pickle.PickleBuffer, pickled: Pickled) -> bool:
        """A buffer leaves the stream (False) unless it is small (True)."""
        with memoryview(view) as shaped:
            if shaped.nbytes < BUFFER_BYTES:
                return True
            owner, line_bytes, readonly = shaped.obj, _line_bytes(shaped), shaped.readonly
        with view.raw() as raw:
            pickled.buffers.append(self._keep(owner, raw, line_bytes, readonly))
        return False

    def _keep(self, owner: Any, raw: memoryview, line_bytes: int, readonly: bool = False) -> Buffer:
        """Equal owners are hashed once in one save: nothing runs meanwhile that could change them."""
        earlier = self._hashed.get(id(owner))
        if earlier is not None and earlier[0] is owner:
            return earlier[1]
        buffer = Buffer(self._writer.put_lines(raw, line_bytes), raw.nbytes, readonly)
        self._hashed[id(owner)] = (owner, buffer)
        return buffer

    def kept(self, owner: Any) -> Buffer | None:
        """What the memory of an array was kept as in this save."""
        found = self._hashed.get(id(owner))
        return found[1] if found is not None and found[0] is owner else None

    def reduction(self, subject: Any, saving: Saving) -> Any:
        """What the registered reducer says of an object; NotImplemented where there is none."""
        kind = type(subject)
        try:
            reducer = self._reducers[kind]
        except KeyError:
            reducer = self._find(kind)
        return NotImplemented if reducer is None else reducer(subject, saving)

    def _find(self, kind: type[Any]) -> registry.Reducer | None:
        """The reducer of a class that turns up in this save for the first time."""
        found = registry.find(kind)
        is_suspect, runs_code = rehearsal.is_suspect(kind), rehearsal.runs_code_of_the_flow(kind)
        if is_suspect:
            self._suspects.add(kind)
        self.ran_code_of_the_flow = self.ran_code_of_the_flow or runs_code
        if found is None and not is_importable(kind) and _says_how(kind):
            found = _by_value_if_named
        if found is None and not is_importable(kind) and _says_what_is_in_it(kind):
            found = _by_what_is_in_it
        if found is None:
            found = of_modules.reducer(kind)
        self._reducers[kind] = found
        if not (is_suspect or runs_code) and rehearsal.is_of_known_libraries(kind) and is_importable(kind):
            self._lasting[kind] = found
        return found

    def _fast(self, saving: Saving) -> Callable[[Any], Any]:
        reducers, find = self._reducers, self._find

        def override(subject: Any) -> Any:
            kind = type(subject)
            try:
                reducer = reducers[kind]
            except KeyError:
                reducer = find(kind)
            return NotImplemented if reducer is None else reducer(subject, saving)

        return override


class _Lasting:
    """What was found for classes of libraries that are known, for all saves until anything is imported or
    registered: to ask again costs more than to pickle a small object."""

    _reducers: dict[type[Any], registry.Reducer | None] = {}  # noqa: RUF012 - of this process
    _stamp: tuple[Any, ...] = ()

    @classmethod
    def now(cls) -> dict[type[Any], registry.Reducer | None]:
        stamp = (len(sys.modules), *copyreg.dispatch_table.values())
        if stamp != cls._stamp:
            cls.forget()
            cls._stamp = stamp
        return cls._reducers

    @classmethod
    def forget(cls) -> None:
        cls._reducers = {}


of_users.listen(_Lasting.forget)


def _divided(roots: list[Any], parts: Sequence[int]) -> list[list[Any]]:
    """The roots in lists of so many each; in one, if these are not all of them."""
    if sum(parts) != len(roots):
        return [roots]
    rest = iter(roots)
    return [list(itertools.islice(rest, length)) for length in parts]


def _says_how(kind: type[Any]) -> bool:
    """Whether a class of the flow has a `__reduce__` of its own."""
    return any(getattr(kind, name) is not getattr(object, name) for name in ("__reduce__", "__reduce_ex__"))


def _by_value_if_named(subject: Any, _: Saving) -> Any:
    """An object of the flow that says it is found by its name: in a new process nothing is there yet."""
    reduced = subject.__reduce_ex__(PROTOCOL)
    if not isinstance(reduced, str) or not hasattr(subject, "__dict__"):
        return reduced
    return copyreg.__newobj__, (type(subject),), dict(subject.__dict__)  # type: ignore[attr-defined]


def _says_what_is_in_it(kind: type[Any]) -> bool:
    """Whether a list or dictionary of the flow goes over its items in a way of its own, which may give others
    than it holds, or never end."""
    return any(
        issubclass(kind, base) and getattr(kind, name) is not getattr(base, name)
        for base, name in ((list, "__iter__"), (dict, "items"))
    ) and not _says_how(kind)


def _by_what_is_in_it(subject: Any, _: Saving) -> Any:
    function, arguments, state, *_rest = subject.__reduce_ex__(PROTOCOL)
    items = list.__iter__(subject) if issubclass(type(subject), list) else None
    pairs = iter(dict.items(subject)) if issubclass(type(subject), dict) else None
    return function, arguments, state, items, pairs


def _line_bytes(view: memoryview) -> int:
    """The bytes of one line along the slowest axis of a contiguous buffer; 0 where it has one axis."""
    if view.ndim < 2 or not view.shape or 0 in view.shape:
        return 0
    axis = 0 if view.c_contiguous else -1
    return view.nbytes // view.shape[axis]


__all__ = ["PIECE_BYTES", "PROTOCOL", "GroupPickler", "Pickled", "Saving"]
