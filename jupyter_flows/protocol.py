"""What a worker and the kernels on its machine say to each other.

One Unix socket in a directory of mode 0700; a frame is a four-byte big-endian length and that many
bytes of msgpack. Every message is one frozen struct of the two unions below. The kernel asks
(`seq` grows), the worker answers each `seq` once; only `Stop` comes unasked.

A spawned kernel says Hello with the `kernel_id` it was given and gets Begin when there is work. A
notebook's kernel says Hello without one, then OpenNotebook, and gets Opened.

Why not Jupyter's own messages: one execute_request costs about 11 ms there, and every Flow-API call
passes here.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from .model import (
    Answer,
    Call,
    CellOutput,
    ErrorInfo,
    FlowSource,
    Missing,
    ResumeMode,
    SavepointDraft,
    Status,
    Value,
)
from .model.sayable import sayable_inside

VERSION = 1
MAX_FRAME_BYTES = 2**32 - 1


class Resume(msgspec.Struct, frozen=True, kw_only=True):
    """Where an execution goes on: the savepoint's content and how. `answer` is set for JOIN.

    `previous`: the source that the savepoint was made under, if the execution's is another one now.
    `chunks`: those of the savepoint that are at hand; the kernel asks for the others.
    """

    savepoint_id: str
    mode: ResumeMode
    call: Call
    draft: SavepointDraft
    answer: Answer | None = None
    previous: FlowSource | None = None
    chunks: dict[str, bytes] = {}


# --- kernel to worker ---------------------------------------------------------------------------


class Hello(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    pid: int
    python: str
    kernel_id: str | None = None
    version: int = VERSION


class OpenNotebook(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A notebook's kernel asks for the execution it is: a new one, or that of `savepoint_id`.

    `path` is the notebook's file, absolute where it is known. With `savepoint_id` (`%flow restore`) the
    execution is put back to that savepoint and this kernel goes on with it.
    """

    seq: int
    path: str
    savepoint_id: str | None = None


class CallMade(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A Flow-API call with its savepoint: the worker commits both or neither.

    `chunks` carries the savepoint's and arguments' new chunks that are not already files in the chunk
    directory. `savepoint` is None only while a call is made again from the savepoint that the
    execution stands at and nothing has changed since. `cells` are outputs changed since the last message.
    `was_told`: ExecutionCancel was raised in the flow already, because of a `CancelNow`.
    `goes_on`: the flow does not wait for it; it is told by `Committed`, not by `Answered`.
    """

    seq: int
    epoch: int
    call: Call
    savepoint: SavepointDraft | None
    chunks: dict[str, bytes] = {}
    cells: tuple[CellOutput, ...] = ()
    was_told: bool = False
    goes_on: bool = False


class FetchChunks(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    seq: int
    hashes: tuple[str, ...]


class CellsRun(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Outputs as they come, between calls; not answered. `replaces_all`: after a restore."""

    epoch: int
    cells: tuple[CellOutput, ...]
    replaces_all: bool = False


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The flow's code is through: `status` final, `error` with traceback when it failed.

    `may_stay`: after the answer the kernel either says Ready or ends.
    """

    seq: int
    epoch: int
    status: Status
    message: str | None = None
    error: ErrorInfo | None = None
    cells: tuple[CellOutput, ...] = ()
    may_stay: bool = False


class Ready(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The kernel is as it was before its last execution, and can run the same version of the flow again."""


class Magic(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """What `%flow` asks beyond the Flow API, without a savepoint.

    `action` is "list" (the flows, as FlowViews) or "children" (those of this execution, as
    ExecutionViews); the answer's `result` is a list of them as plain JSON. Or it is "offer": `error` is that
    of a savepoint that could not be loaded, and the `result` its message with the one to take instead.
    """

    seq: int
    action: str
    error: ErrorInfo | None = None


KernelMessage = Hello | OpenNotebook | CallMade | FetchChunks | CellsRun | Ended | Ready | Magic


# --- worker to kernel ---------------------------------------------------------------------------


class Begin(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Run this execution, from its start (`resume` None) or from a savepoint.

    `chunk_directory`: where the kernel may read and write chunk files itself (None: through the
    socket only). `was_told`: ExecutionCancel was raised in the flow before. `may_go_on`: see `Answered`.
    """

    execution_id: str
    name: str
    parent_id: str | None
    epoch: int
    source: FlowSource | None
    inputs: dict[str, Value]
    chunk_directory: str | None
    resume: Resume | None = None
    cells: tuple[CellOutput, ...] = ()
    was_told: bool = False
    may_go_on: bool = False


class Opened(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to OpenNotebook: the execution that this kernel is, or an error."""

    seq: int
    begin: Begin | None = None
    error: ErrorInfo | None = None


class Answered(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The outcome of a CallMade, once its transaction is committed and its wait, if any, is over.

    `savepoint_id` and `epoch` are what the kernel stands at and must use from now on. `may_go_on`: calls
    whose answer is known before may be sent with `goes_on`, until a message says otherwise.
    """

    seq: int
    answer: Answer
    epoch: int
    savepoint_id: str | None = None
    missing: tuple[Missing, ...] = ()
    may_go_on: bool = False


class Committed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """All calls up to `seq` that were sent with `goes_on` are on the disk."""

    seq: int
    may_go_on: bool


class Chunks(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to FetchChunks; a hash that the store lacks is left out."""

    seq: int
    chunks: dict[str, bytes]


class Acknowledged(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The answer to Ended and Magic."""

    seq: int
    result: Any = None
    error: ErrorInfo | None = None


class CancelNow(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """Somebody wishes that the execution ends: a flow that computes hears of it now, not at its next call."""

    execution_id: str


class Stop(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """End this process at once: the execution is not yours any more. No flow code runs after it."""

    reason: str


WorkerMessage = Begin | Opened | Answered | Committed | Chunks | Acknowledged | CancelNow | Stop


# --- frames -------------------------------------------------------------------------------------

_LENGTH = struct.Struct(">I")
_encoder = msgspec.msgpack.Encoder()
_decoders = {
    KernelMessage: msgspec.msgpack.Decoder(KernelMessage),
    WorkerMessage: msgspec.msgpack.Decoder(WorkerMessage),
}
Message = TypeVar("Message")


def encode(message: KernelMessage | WorkerMessage) -> bytes:
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError:  # a line of a log, an error's text; values are snapshots then
        plain = msgspec.to_builtins(message, builtin_types=(bytes, bytearray, memoryview, datetime))
        body = _encoder.encode(sayable_inside(plain))
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"a message of {len(body)} bytes is larger than a frame can be")
    return _LENGTH.pack(len(body)) + body


def read_blocking(connection: socket.socket) -> WorkerMessage:
    """The kernel's side. Raises ConnectionError when the worker is gone."""
    (length,) = _LENGTH.unpack(_receive(connection, _LENGTH.size))
    message: WorkerMessage = _decoders[WorkerMessage].decode(_receive(connection, length))
    return message


def _receive(connection: socket.socket, count: int) -> bytearray:
    buffer = bytearray(count)
    view, at = memoryview(buffer), 0
    while at < count:
        got = connection.recv_into(view[at:])
        if got == 0:
            raise ConnectionError("the worker closed the connection")
        at += got
    return buffer


async def read(reader: asyncio.StreamReader) -> KernelMessage:
    """The worker's side. Raises asyncio.IncompleteReadError when the kernel is gone."""
    (length,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
    message: KernelMessage = _decoders[KernelMessage].decode(await reader.readexactly(length))
    return message
