"""What a savepoint's bytes say about its content: groups, chunks, variables, all readable without unpickling.

    bytes 0-3    JFSN
    bytes 4-5    format version, little-endian
    bytes 6-37   HMAC-SHA256, with the owner's key, of bytes 0-5 and everything from byte 38 on
    from 38 on   the body (`Body`) as msgpack, compressed with zstd; from format 2 on with a dictionary

`docs/savepoint-format.md` describes it for other readers. Fields may be added at the end of a struct, with a
default; none may be renamed, removed or moved without a new format version and code that reads the old one.
"""

from __future__ import annotations

import struct
from functools import cached_property

import msgspec
import zstandard

from ..errors import SavepointError
from ..model import Missing, VariableView
from . import signing
from .manifest_words import WORDS
from .written import Reference

MAGIC = b"JFSN"
FORMAT_VERSION = 3
_HEAD = struct.Struct("<4sH")
_BODY_AT = _HEAD.size + signing.SIGNATURE_BYTES
_compressor = zstandard.ZstdCompressor(level=1, dict_data=WORDS)
#: By format version.
_decompressors = {
    1: zstandard.ZstdDecompressor(),
    2: zstandard.ZstdDecompressor(dict_data=WORDS),
    3: zstandard.ZstdDecompressor(dict_data=WORDS),
}
#: So many bytes of a stream's SHA-256 are kept: too many for anybody to find a second stream with the same.
SEAL_BYTES = 16


class Buffer(msgspec.Struct, frozen=True, array_like=True):
    """A large buffer that left the pickle stream; `bytes` is its length."""

    references: tuple[Reference, ...]
    bytes: int
    readonly: bool = False


class Group(msgspec.Struct, frozen=True, array_like=True):
    """Objects that share something mutable: one pickle stream of a list, in the order of `names`.

    `buffers` are those that pickle itself moved out of the stream, in its order; `memories` are the memory of
    arrays, which the stream refers to by number. `seal` is a cryptographic hash of the stream (its first 16
    bytes, in format 1 all 32), checked before it is unpickled; `digest` is equal exactly when stream and
    buffers are. `parts` says how many names each pickle of the stream is for, where it has more than one.
    Objects that belong to the group whose names `base` tells are persistent ids: their numbers in its memo.
    """

    names: tuple[str, ...]
    stream: tuple[Reference, ...]
    buffers: tuple[Buffer, ...]
    seal: bytes
    digest: str
    units: tuple[str, ...] = ()
    missing: tuple[Missing, ...] = ()
    memories: tuple[Buffer, ...] = ()
    parts: tuple[int, ...] = ()
    base: tuple[str, ...] = ()


class UnitSource(msgspec.Struct, frozen=True, array_like=True):
    """The source text of a unit that the objects refer to, and its normalised form (`resumable.forms`)."""

    digest: str
    filename: str
    source: tuple[Reference, ...]
    interactive: bool = False
    form: tuple[Reference, ...] = ()


class Body(msgspec.Struct, frozen=True, array_like=True):
    python: str
    groups: tuple[Group, ...]
    chunks: dict[str, int]
    views: tuple[VariableView, ...]
    order: tuple[str, ...] = ()
    units: tuple[UnitSource, ...] = ()
    bytes_new: int = 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Body)


class Manifest:
    """The table of contents of one snapshot."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self._bytes: bytes | None = None

    def to_bytes(self) -> bytes:
        """The signed bytes. Raises SavepointError when the owner's key cannot be had."""
        if self._bytes is None:
            head = _HEAD.pack(MAGIC, FORMAT_VERSION)
            packed = _compressor.compress(_encoder.encode(self.body))
            self._bytes = head + signing.signature(head + packed) + packed
        return self._bytes

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Raises SavepointError for bytes of another kind, a newer version, a wrong signature or damage."""
        if len(data) < _BODY_AT or data[:4] != MAGIC:
            raise SavepointError("these bytes are not a savepoint's manifest, or they were cut off")
        _, version = _HEAD.unpack_from(data)
        if version not in _decompressors:
            raise SavepointError(
                f"this savepoint has format {version}; this version of jupyter_flows reads formats up to "
                f"{FORMAT_VERSION}: use a newer version"
            )
        packed = bytes(data[_BODY_AT:])
        signing.check(bytes(data[: _HEAD.size]) + packed, bytes(data[_HEAD.size : _BODY_AT]))
        try:
            body = _decoder.decode(_decompressors[version].decompress(packed))
        except (msgspec.MsgspecError, zstandard.ZstdError) as error:
            raise SavepointError(f"the savepoint's manifest is damaged: {error}") from error
        manifest = cls(body)
        manifest._bytes = bytes(data)
        return manifest

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of all objects kept."""
        return self.body.order

    @property
    def chunks(self) -> tuple[str, ...]:
        """The names of all chunks that it refers to."""
        return tuple(self.body.chunks)

    @property
    def bytes_new(self) -> int:
        """What was written to the chunk store for it, in bytes."""
        return self.body.bytes_new

    @property
    def bytes_total(self) -> int:
        """The stored size of all its chunks, in bytes."""
        return sum(self.body.chunks.values())

    @cached_property
    def missing(self) -> tuple[Missing, ...]:
        """What could not be kept, with path, type and reason."""
        return tuple(one for group in self.body.groups for one in group.missing)

    def variables(self) -> tuple[VariableView, ...]:
        """What a person sees of the variables, computed when it was saved; the scope `state` is left out."""
        return self.body.views
