"""`save`: live objects become a manifest and chunks."""

from __future__ import annotations

import gc
import hashlib
import platform
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ..errors import SavepointError
from ..model import Missing, VariableView
from ..model.sayable import sayable
from . import parts, previews, reducers, units
from .chunks import BytesLike, Chunks, ChunkWriter
from .grouping import Alone, Found, Kept, find_groups
from .guard import readable
from .manifest import SEAL_BYTES, Body, Group, Manifest
from .paths import readable_name
from .pickling import PIECE_BYTES, GroupPickler
from .placeholder import Placeholder
from .quiet import from_now_on
from .untouched import MANY_OBJECTS, watching
from .written import Reference

assert reducers  # imported for what it registers

#: With more packs of small pieces than this, those still used are written into a new one.
_MANY_PACKS = 32
_HIDDEN_SCOPE = "state"


def save(
    objects: Mapping[str, Any],
    chunks: Chunks,
    namespace: dict[str, Any],
    previous: Manifest | None = None,
    private: Collection[str] = (),
) -> Manifest:
    """Keep these objects, with all that they share.

    Arguments: `objects` by their names ``scope/variable``; `chunks`, where the bytes go; `namespace`, the
    live dict that the flow's functions have as globals (it is referred to, never kept as a whole);
    `previous`, a savepoint kept in the same store, of which everything unchanged is used again; `private`,
    names of objects no part of which is an object of another one.
    Objects that cannot be pickled never make this fail: they become placeholders, listed in `missing`.
    Raises what the chunk store raises, and SavepointError when the owner's key cannot be had.
    """
    is_collecting = gc.isenabled()
    objects = {sayable(name): value for name, value in objects.items()}
    gc.disable()  # memos of a million entries, none of them garbage, would set it off again and again
    try:
        try:
            return _Save(chunks, namespace, previous).run(objects, private)
        except (SavepointError, OSError, MemoryError):
            raise
        except Exception as error:
            spared = _without_what_fails(objects, namespace)
            if spared is None:
                raise error from None
            return _Save(chunks, namespace, previous).run(spared, private)
    finally:
        if is_collecting:
            gc.enable()


def _without_what_fails(objects: Mapping[str, Any], namespace: dict[str, Any]) -> dict[str, Any] | None:
    """The variables, placeholders for those that no savepoint can be made of even alone; None if all can be.

    An object that pickle refuses never gets this far. One whose class cannot be looked up in a dictionary
    (its metaclass has a `__hash__` that fails, or none) fails in too many places to be guarded in each.
    """
    spared = dict(objects)
    for name, value in objects.items():
        try:
            _Save(_NoChunks(), namespace, None).run({name: value}, ())
        except Exception as error:
            if name.startswith(_HIDDEN_SCOPE + "/"):
                return None  # nothing could go on without it
            spared[name] = Placeholder(readable_name(name), previews.type_name(value), readable(error))
    return spared if any(one is not objects[name] for name, one in spared.items()) else None


class _NoChunks:
    """Keeps nothing: for a save that is only tried."""

    def write(self, digest: str, data: BytesLike) -> None:
        pass

    def read(self, digest: str) -> bytes:
        raise SavepointError(f"the chunk {digest} was not kept")

    def has(self, digest: str) -> bool:
        del digest
        return False


class _Save:
    def __init__(self, chunks: Chunks, namespace: dict[str, Any], previous: Manifest | None) -> None:
        self._earlier = previous.body if previous is not None else None
        self._chunks = chunks
        self._writer = ChunkWriter(chunks, self._earlier.chunks if self._earlier else {})
        self._pickler = GroupPickler(namespace, self._writer)
        # A series of savepoints: what is large in them is worth being watched.
        self._quiet = from_now_on(self._has_large()) if self._earlier is not None else None

    def run(self, objects: Mapping[str, Any], private: Collection[str]) -> Manifest:
        earlier = self._earlier
        found, kept = find_groups(
            objects, self._pickler, self._groups_before(), self._is_stored, self._is_quiet, private
        )
        self._watch(found, objects)
        reusable = self._reusable()
        reused = [reusable.get(one.pickled.digest) for one in found]
        streams = self._write([one for one, again in zip(found, reused, strict=True) if again is None])
        groups = [one.group for one in kept]
        for group in groups:
            for references in _references_of(group):
                self._writer.reuse(references)
        for one, again in zip(found, reused, strict=True):
            if again is not None:
                self._writer.reuse(again.stream)
            groups.append(self._group(one, again, streams))
        digests = {digest for group in groups for digest in group.units}
        known = {unit.digest: unit for unit in earlier.units} if earlier else {}
        sources = units.keep(digests, self._writer, known)
        body = Body(
            python=platform.python_version(),
            groups=tuple(groups),
            chunks=self._writer.sizes,
            views=self._views(objects, found, kept),
            order=tuple(objects),
            units=sources,
            bytes_new=self._writer.bytes_new,
        )
        return Manifest(body)

    def _is_quiet(self) -> bool:
        """Whether nothing can have changed since this save began."""
        is_quiet = self._quiet is not None and self._quiet.holds()
        return is_quiet and not self._pickler.ran_code_of_the_flow

    def _has_large(self) -> bool:
        """Whether variables had many objects in the savepoint before: each takes two bytes at least."""
        return any(
            sum(length for *_, length in group.stream) >= 2 * MANY_OBJECTS
            for group in self._groups_before()
            if not all(name.startswith(_HIDDEN_SCOPE) for name in group.names)
        )

    def _groups_before(self) -> tuple[Group, ...]:
        """The groups of the savepoint before."""
        return self._earlier.groups if self._earlier is not None else ()

    def _is_stored(self, group: Group) -> bool:
        """Whether all bytes of a group of the savepoint before are there still."""
        return all(
            self._chunks.has(name) for references in _references_of(group) for name, _, _ in references
        )

    def _watch(self, found: list[Found], objects: Mapping[str, Any]) -> None:
        """From now on look after groups of many objects."""
        large = [one for one in found if len(one.pickled.memo) >= MANY_OBJECTS and not one.base]
        looking = watching(is_needed=True) if large and self._quiet is not None else None
        if looking is None or self._quiet is None:
            return
        before = {group.names: group.digest for group in self._groups_before()}
        for one in large:
            if looking.is_worth_it(one.names, one.pickled, self._pickler, before.get(one.names, "")):
                roots = [objects[name] for name in one.names]
                looking.watch(one.names, roots, one.pickled, self._pickler, self._quiet)

    def _group(self, one: Found, again: Group | None, streams: dict[int, tuple[Reference, ...]]) -> Group:
        pickled = one.pickled
        if again is not None:
            if again.names == one.names and one.is_same:
                return again
            stream, seal = again.stream, again.seal
        else:
            stream = streams[id(one)]
            hasher = hashlib.sha256()
            for piece in pickled.pieces:
                hasher.update(piece)
            seal = hasher.digest()[:SEAL_BYTES]
        return Group(
            names=one.names,
            stream=stream,
            buffers=tuple(pickled.buffers),
            seal=seal,
            digest=pickled.digest,
            units=pickled.units,
            missing=pickled.missing,
            memories=pickled.memories,
            parts=pickled.parts if len(pickled.parts) > 1 else (),
            base=one.base,
        )

    def _reusable(self) -> dict[str, Group]:
        """Groups of the savepoint before whose stream can be referred to again, by digest."""
        if self._earlier is None:
            return {}
        packs: set[str] = set()
        lost: set[str] = set()
        streams = {reference for group in self._earlier.groups for reference in group.stream}
        for name, _, length in streams:
            if length < PIECE_BYTES:
                packs.add(name)
        lost = {name for name in {name for name, *_ in streams} if not self._chunks.has(name)}
        if len(packs) > _MANY_PACKS:
            lost |= packs
        if not lost:
            return {group.digest: group for group in self._earlier.groups}
        return {
            group.digest: group
            for group in self._earlier.groups
            if not any(name in lost for name, _, _ in group.stream)
        }

    def _write(self, found: list[Found]) -> dict[int, tuple[Reference, ...]]:
        """Write streams: large pieces as chunks of their own, all small ones into one pack."""
        pack, at = [], 0
        small: dict[tuple[int, int], tuple[int, int]] = {}
        for one in found:
            is_large = one.pickled.size > _MANY_PACKS * PIECE_BYTES
            for number, piece in enumerate(one.pickled.pieces):
                if len(piece) < PIECE_BYTES and not is_large:
                    small[id(one), number] = (at, len(piece))
                    pack.append(piece)
                    at += len(piece)
        packed = self._writer.put(b"".join(pack))[0] if pack else ""
        streams = {}
        for one in found:
            references = []
            for number, piece in enumerate(one.pickled.pieces):
                where = small.get((id(one), number))
                references.append(self._writer.put(piece) if where is None else (packed, *where))
            streams[id(one)] = tuple(references)
        return streams

    def _views(
        self, objects: Mapping[str, Any], found: list[Found], kept: list[Kept]
    ) -> tuple[VariableView, ...]:
        earlier = {(view.scope, view.name): view for view in self._earlier.views} if self._earlier else {}
        scopes = previews.readable_scopes(objects)
        views: dict[str, VariableView] = {}
        groups: list[Found | Kept] = [*found, *kept]
        for one in groups:
            for name in one.names:
                scope, _, variable = name.partition("/")
                if scope == _HIDDEN_SCOPE:
                    continue
                views[name] = self._view(
                    earlier.get((scopes[scope], variable)), scopes[scope], variable, objects[name], one, name
                )
        return tuple(views[name] for name in objects if name in views)

    def _view(
        self,
        before: VariableView | None,
        scope: str,
        variable: str,
        value: Any,
        one: Found | Kept,
        name: str,
    ) -> VariableView:
        alone = one.alone.get(name) if isinstance(one, Found) else None
        if before is not None and (alone is None or alone.digest == before.digest):
            return before
        if alone is None:  # its group is as it was, but nobody looked at it then
            alone = (
                Alone(one.pickled.digest, one.pickled.size, ())
                if isinstance(one, Found)
                else Alone(one.group.digest, _size_of(one.group), ())
            )
        pickler = self._pickler
        kept = parts.Kept(
            alone.bytes, pickler.kept, lambda part: pickler.dump_untried((variable,), (part,)).digest
        )
        reason = _reason(alone.missing, variable)
        return previews.view(scope, variable, value, alone.digest, alone.bytes, reason, kept)


def _references_of(group: Group) -> Iterator[tuple[Reference, ...]]:
    yield group.stream
    for buffer in (*group.buffers, *group.memories):
        yield buffer.references


def _size_of(group: Group) -> int:
    """Bytes of its stream and buffers."""
    stream = sum(length for _, _, length in group.stream)
    return stream + sum(buffer.bytes for buffer in (*group.buffers, *group.memories))


def _reason(missing: tuple[Missing, ...], variable: str) -> str | None:
    if not missing:
        return None
    first = missing[0]
    text = first.reason if first.path == variable else f"{first.path}: {first.reason}"
    return text if len(missing) == 1 else f"{text} (and {len(missing) - 1} more)"
