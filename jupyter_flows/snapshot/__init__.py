"""Bytes of live objects in content-addressed chunks.

    manifest = save(objects, chunks, namespace, previous)
    objects = load(manifest, chunks, namespace)

Names of objects are ``scope/variable``. Identity and sharing between all objects of one save survive; what
cannot be pickled becomes a placeholder; only what changed since `previous` is stored. See
`docs/savepoint-format.md`.
"""

from ..reducer import reducer
from .chunks import Chunks, DirectoryChunks, MemoryChunks
from .difference import diff
from .loading import damage, load
from .manifest import FORMAT_VERSION, Manifest
from .placeholder import Placeholder
from .process_state import ProcessState, begin_here
from .saving import save
from .values import decode_value, encode_value

__all__ = [
    "FORMAT_VERSION",
    "Chunks",
    "DirectoryChunks",
    "Manifest",
    "MemoryChunks",
    "Placeholder",
    "ProcessState",
    "begin_here",
    "damage",
    "decode_value",
    "diff",
    "encode_value",
    "load",
    "reducer",
    "save",
]
