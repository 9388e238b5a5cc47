"""`load`: a manifest and chunks become live objects."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import io
import pickle
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Any

from ..errors import SavepointError
from . import reducers, units
from .careful import CarefulUnpickler, is_placeholder, reason_of
from .chunks import ChunkReader, Chunks
from .manifest import SEAL_BYTES, Buffer, Group, Manifest
from .memories import check_memories, set_memories
from .paths import Paths
from .pickling import Pickled
from .placeholder import Placeholder, facts
from .references import PREAMBLE, set_live_namespace

assert reducers  # imported for what it registers


def load(
    manifest: Manifest,
    chunks: Chunks,
    namespace: dict[str, Any],
    first: str = "",
    prepare: Callable[[Any], None] = lambda _: None,
    needs_all: bool = False,
) -> dict[str, Any]:
    """The objects of a savepoint by their names, in the order in which they were saved.

    Arguments: `namespace`, the live dict that the flow's functions get as globals; it is not changed;
    `prepare` is called with the object named `first`, if there is one, before any other is loaded.
    An object that cannot be loaded becomes a placeholder, and so do the variables of a group whose chunks
    are damaged or missing; the others are as they were. If the load `needs_all`, bytes that were lost raise
    SavepointError instead, which names the chunks and the variables.
    """
    reader = ChunkReader(chunks)
    units.make_known(manifest.body.units, reader)
    loading = _Loading(reader, namespace, {group.base for group in manifest.body.groups})
    with _no_collection(), loading:
        for group in sorted(manifest.body.groups, key=lambda one: (first not in one.names, bool(one.base))):
            loading.add(group)
            if first in group.names:
                prepare(loading.objects[first])
        loading.add_those_put_off()
    objects, lost = loading.objects, loading.lost
    if lost and needs_all:
        names = ", ".join(name.partition("/")[2] for name in lost[:5]) + (" …" if len(lost) > 5 else "")
        raise SavepointError(
            f"the savepoint is damaged: {'; '.join(reader.damaged.values())}; lost are {names}"
        )
    return {name: objects[name] for name in manifest.names}


@contextlib.contextmanager
def _no_collection() -> Iterator[None]:
    """A million objects that all stay would be looked through again and again."""
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if is_collecting:
            gc.enable()


class _Loading:
    """The groups of one load, one after the other.

    Code of the flow may run while its objects are made (``__setstate__``, ``__new__``, ``__hash__``), and it
    expects its globals. So the namespace has, for the time of the load, those that are loaded already. A
    group that fails is tried again when all others are there, and then with its own variables as well.
    """

    def __init__(
        self, reader: ChunkReader, namespace: dict[str, Any], bases: Collection[tuple[str, ...]] = ()
    ) -> None:
        self._bases = _Bases(bases)
        self.objects: dict[str, Any] = {}
        self.lost: list[str] = []
        self._reader = reader
        self._namespace = namespace
        self._lent: dict[str, Any] = {}
        self._put_off: list[tuple[Group, bytes]] = []

    def __enter__(self) -> None:
        self._before = set_live_namespace(self._namespace)

    def __exit__(self, *_: object) -> None:
        set_live_namespace(self._before)
        for name, value in self._lent.items():
            if self._namespace.get(name, self) is value:
                del self._namespace[name]

    def add(self, group: Group) -> None:
        known = len(self._reader.damaged)
        found = _stream_of(group, self._reader)
        if isinstance(found, SavepointError):
            self._have(group, [_not_loaded(name, str(found)) for name in group.names])
        else:
            self.add_stream(group, found)
        if len(self._reader.damaged) > known:
            self.lost += group.names

    def add_stream(self, group: Group, stream: bytes) -> None:
        try:
            self._have(group, _unpickle(_Unpickler, group, stream, self._reader, self._bases))
        except SavepointError:
            self._have(group, _load_carefully(group, stream, self._reader, self._bases))
        except KeyboardInterrupt:
            raise
        except BaseException:  # an object that asks to exit is no reason to
            self._put_off.append((group, stream))

    def add_those_put_off(self) -> None:
        for group, stream in self._put_off:
            if not self._is_loaded(group, stream):
                self._have(group, _load_carefully(group, stream, self._reader, self._bases))
                if not self._is_loaded(group, stream):
                    self._have(group, _load_carefully(group, stream, self._reader, self._bases))

    def _is_loaded(self, group: Group, stream: bytes) -> bool:
        try:
            self._have(group, _unpickle(_Unpickler, group, stream, self._reader, self._bases))
        except KeyboardInterrupt:
            raise
        except BaseException:
            return False
        return True

    def _have(self, group: Group, found: list[Any]) -> None:
        for name, value in zip(group.names, found, strict=True):
            self.objects[name] = value
            scope, _, variable = name.partition("/")
            is_ours = variable in self._lent or variable not in self._namespace
            if scope == "globals" and is_ours and not is_placeholder(value):
                self._lent[variable] = self._namespace[variable] = value


def load_again(
    names: Sequence[str], pickled: Pickled, chunks: Chunks, namespace: dict[str, Any]
) -> list[Any]:
    """The roots of a stream that was just made, as `load` would give them; the namespace has the others."""
    group = Group(tuple(names), (), tuple(pickled.buffers), b"", pickled.digest, memories=pickled.memories)
    others = dict(namespace)
    for name in names:
        others.pop(name.partition("/")[2], None)
    loading = _Loading(ChunkReader(chunks), others)
    with loading:
        loading.add_stream(group, b"".join(pickled.pieces))
        loading.add_those_put_off()
    return [loading.objects[name] for name in names]


def damage(manifest: Manifest, chunks: Chunks) -> tuple[str, ...]:
    """Why chunks of a savepoint cannot be read, each with its name; reads all of them, unpickles nothing."""
    reader = ChunkReader(chunks)
    for name in manifest.chunks:
        reader.try_to_read(name)
    return tuple(reader.damaged.values())


def _stream_of(group: Group, reader: ChunkReader) -> bytes | SavepointError:
    """The bytes of a group's stream, or why the group cannot be loaded."""
    try:
        stream = reader.bytes_of(group.stream)
        is_sealed = len(group.seal) >= SEAL_BYTES
        if not is_sealed or not hashlib.sha256(stream).digest().startswith(group.seal):
            raise SavepointError("its bytes are not those that were signed")
        for buffer in group.buffers:
            for name, _, _ in buffer.references:
                reader.check_has(name)
        check_memories(group.memories, reader)
    except SavepointError as error:
        return error
    return stream


def _not_loaded(name: str, reason: str) -> Placeholder:
    return Placeholder(name.partition("/")[2], "unknown", reason)


class _Bases:
    """The objects of groups that others refer to, by their numbers in the memos."""

    def __init__(self, names: Collection[tuple[str, ...]]) -> None:
        self._names = frozenset(names)
        self._memos: dict[tuple[str, ...], dict[int, Any]] = {}

    def keep(self, group: Group, unpickler: Any) -> None:
        if group.names in self._names:
            self._memos[group.names] = unpickler.memo.copy()

    def of(self, group: Group) -> dict[int, Any]:
        """Raises LookupError where the other group is not there (yet)."""
        if group.base and group.base not in self._memos:
            names = ", ".join(name.partition("/")[2] for name in group.base[:3])
            raise LookupError(f"it shares objects with {names}, which could not be loaded")
        return self._memos.get(group.base, {})


class _Unpickler(pickle.Unpickler):
    base: dict[int, Any] = {}  # noqa: RUF012 - each one gets its own

    def persistent_load(self, number: int) -> Any:
        return self.base[number]


def _unpickle(kind: Any, group: Group, stream: bytes, reader: ChunkReader, bases: _Bases) -> Any:
    set_memories(group.memories, reader)
    buffers = [_memory(buffer, reader) for buffer in group.buffers]
    unpickler = kind(io.BytesIO(b"".join(PREAMBLE) + stream), buffers=buffers)
    unpickler.base = bases.of(group)
    for _ in PREAMBLE:
        unpickler.load()
    found = unpickler.load()
    while len(found) < len(group.names):
        found += unpickler.load()
    bases.keep(group, unpickler)
    return found


def _memory(buffer: Buffer, reader: ChunkReader) -> Any:
    """Writable memory with the content of a buffer."""
    numpy = sys.modules.get("numpy")
    memory: Any = numpy.empty(buffer.bytes, "u1") if numpy is not None else bytearray(buffer.bytes)
    with memoryview(memory) as view:
        reader.read_into(buffer.references, view)
    return memory


def _load_carefully(group: Group, stream: bytes, reader: ChunkReader, bases: _Bases) -> list[Any]:
    try:
        found: list[Any] = _unpickle(CarefulUnpickler, group, stream, reader, bases)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        return [_not_loaded(name, reason_of(error)) for name in group.names]
    paths = Paths(group.names, found)
    for path, stand_in in paths.placeholders():
        if facts(stand_in)[0] == "":
            object.__setattr__(stand_in, "_path", path)
    return found
