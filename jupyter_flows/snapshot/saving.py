"""`save`: live objects become a manifest and chunks."""

from __future__ import annotations

import gc
import hashlib
import platform
from collections.abc import Mapping
from typing import Any

from ..model import Missing, VariableView
from . import parts, previews, reducers, units
from .chunks import Chunks, ChunkWriter
from .grouping import Alone, Found, find_groups
from .manifest import Body, Group, Manifest
from .pickling import PIECE_BYTES, GroupPickler
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
) -> Manifest:
    """Keep these objects, with all that they share.

    Arguments: `objects` by their names ``scope/variable``; `chunks`, where the bytes go; `namespace`, the
    live dict that the flow's functions have as globals (it is referred to, never kept as a whole);
    `previous`, a savepoint kept in the same store, of which everything unchanged is used again.
    Objects that cannot be pickled never make this fail: they become placeholders, listed in `missing`.
    Raises what the chunk store raises, and SavepointError when the owner's key cannot be had.
    """
    is_collecting = gc.isenabled()
    gc.disable()  # memos of a million entries, none of them garbage, would set it off again and again
    try:
        return _Save(chunks, namespace, previous).run(objects)
    finally:
        if is_collecting:
            gc.enable()


class _Save:
    def __init__(self, chunks: Chunks, namespace: dict[str, Any], previous: Manifest | None) -> None:
        self._earlier = previous.body if previous is not None else None
        self._chunks = chunks
        self._writer = ChunkWriter(chunks, self._earlier.chunks if self._earlier else {})
        self._pickler = GroupPickler(namespace, self._writer)

    def run(self, objects: Mapping[str, Any]) -> Manifest:
        earlier = self._earlier
        found = find_groups(objects, self._pickler, earlier.groups if earlier else ())
        reusable = self._reusable()
        reused = [reusable.get(one.pickled.digest) for one in found]
        streams = self._write([one for one, again in zip(found, reused, strict=True) if again is None])
        groups = []
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
            views=self._views(objects, found),
            order=tuple(objects),
            units=sources,
            bytes_new=self._writer.bytes_new,
        )
        return Manifest(body)

    def _group(self, one: Found, again: Group | None, streams: dict[int, tuple[Reference, ...]]) -> Group:
        pickled = one.pickled
        if again is not None:
            stream, seal = again.stream, again.seal
        else:
            stream = streams[id(one)]
            hasher = hashlib.sha256()
            for piece in pickled.pieces:
                hasher.update(piece)
            seal = hasher.digest()
        return Group(
            names=one.names,
            stream=stream,
            buffers=tuple(pickled.buffers),
            seal=seal,
            digest=pickled.digest,
            units=pickled.units,
            missing=pickled.missing,
            memories=pickled.memories,
        )

    def _reusable(self) -> dict[str, Group]:
        """Groups of the savepoint before whose stream can be referred to again, by digest."""
        if self._earlier is None:
            return {}
        packs = {
            name for group in self._earlier.groups for name, _, length in group.stream if length < PIECE_BYTES
        }
        too_many = len(packs) > _MANY_PACKS
        return {
            group.digest: group
            for group in self._earlier.groups
            if not (too_many and any(length < PIECE_BYTES for _, _, length in group.stream))
            and all(self._chunks.has(name) for name, _, _ in group.stream)
        }

    def _write(self, found: list[Found]) -> dict[int, tuple[Reference, ...]]:
        """Write streams: large pieces as chunks of their own, all small ones into one pack."""
        pack, at = [], 0
        small: dict[tuple[int, int], tuple[int, int]] = {}
        for one in found:
            for number, piece in enumerate(one.pickled.pieces):
                if len(piece) < PIECE_BYTES:
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

    def _views(self, objects: Mapping[str, Any], found: list[Found]) -> tuple[VariableView, ...]:
        earlier = {(view.scope, view.name): view for view in self._earlier.views} if self._earlier else {}
        scopes = previews.readable_scopes(objects)
        views: dict[str, VariableView] = {}
        for one in found:
            for name in one.names:
                scope, _, variable = name.partition("/")
                if scope == _HIDDEN_SCOPE:
                    continue
                views[name] = self._view(
                    earlier.get((scopes[scope], variable)), scopes[scope], variable, objects[name], one, name
                )
        return tuple(views[name] for name in objects if name in views)

    def _view(
        self, before: VariableView | None, scope: str, variable: str, value: Any, one: Found, name: str
    ) -> VariableView:
        alone = one.alone.get(name)
        if before is not None and (alone is None or alone.digest == before.digest):
            return before
        if alone is None:  # its group is as it was, but nobody looked at it then
            alone = Alone(one.pickled.digest, one.pickled.size, ())
        pickler = self._pickler
        kept = parts.Kept(
            alone.bytes, pickler.kept, lambda part: pickler.dump_untried((variable,), (part,)).digest
        )
        reason = _reason(alone.missing, variable)
        return previews.view(scope, variable, value, alone.digest, alone.bytes, reason, kept)


def _reason(missing: tuple[Missing, ...], variable: str) -> str | None:
    if not missing:
        return None
    first = missing[0]
    text = first.reason if first.path == variable else f"{first.path}: {first.reason}"
    return text if len(missing) == 1 else f"{text} (and {len(missing) - 1} more)"
