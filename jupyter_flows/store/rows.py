"""Rows of the tables to frozen values and back: the only place that knows both shapes."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import RowMapping

from ..model import (
    NO_OPTIONS,
    Answer,
    Call,
    CellOutput,
    ErrorInfo,
    Execution,
    ExecutionType,
    FlowOptions,
    FlowSource,
    LogLevel,
    LogLine,
    ResumeMode,
    Savepoint,
    SavepointDraft,
    SavepointKind,
    Site,
    Status,
    Value,
    Wait,
    Wish,
)
from .port import Change, Setting, WorkerRecord

Row = RowMapping | Mapping[str, Any]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

encode = msgspec.msgpack.Encoder().encode
_decode_value = msgspec.msgpack.Decoder(Value).decode
_decode_values = msgspec.msgpack.Decoder(dict[str, Value]).decode
_decode_any = msgspec.msgpack.Decoder().decode
_decode_error = msgspec.msgpack.Decoder(ErrorInfo).decode
_decode_answer = msgspec.msgpack.Decoder(Answer).decode
_decode_wait = msgspec.msgpack.Decoder(Wait | datetime).decode
_decode_options = msgspec.msgpack.Decoder(FlowOptions).decode
_decode_call = msgspec.msgpack.Decoder(Call).decode
_decode_draft = msgspec.msgpack.Decoder(SavepointDraft).decode
_decode_texts = msgspec.msgpack.Decoder(tuple[str, ...]).decode
_decode_fields = msgspec.msgpack.Decoder(dict[str, Any]).decode
_decode_source = msgspec.msgpack.Decoder(FlowSource).decode
_decode_cell = msgspec.msgpack.Decoder(CellOutput).decode
_NO_VALUES = encode({})
_NO_TEXTS = encode(())


class _PlainDraft(msgspec.Struct, frozen=True, array_like=True):
    """What most drafts say, without names of fields. Fields may be added at the end, with defaults."""

    kind: SavepointKind
    cell: int | None
    line: int
    source: str
    function: str
    name: str | None
    bytes_new: int
    bytes_total: int
    flow_version: bytes


_decode_plain_draft = msgspec.msgpack.Decoder(_PlainDraft).decode
_decode_bytes = msgspec.msgpack.Decoder(bytes).decode
#: The first byte of what msgpack writes: an array of up to 15; bytes.
_ARRAY, _ARRAY_MASK = 0x90, 0xF0
_BINARY = (0xC4, 0xC5, 0xC6)
_HASH, _HASH_BYTES = re.compile("[0-9a-f]{32}z?"), 17
_VERSION = re.compile("(?:[0-9a-f]{2})*")
#: The digest of a flow version: its digits, and the shorter text that is kept of it.
_DIGEST, _SHORT_DIGEST = re.compile("[0-9a-f]{64}"), re.compile("[-_0-9A-Za-z]{43}")


def to_microseconds(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // _MICROSECOND


def to_instant(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + microseconds * _MICROSECOND


def _known_instant(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _optional(value: Any) -> bytes | None:
    return None if value is None else encode(value)


def _options(options: FlowOptions) -> bytes | None:
    return None if options == NO_OPTIONS else encode(options)


def short_digest(digest: str) -> str:
    """Of a flow version, two thirds as long: every execution has one."""
    if not _DIGEST.fullmatch(digest):
        return digest
    return urlsafe_b64encode(bytes.fromhex(digest)).decode().rstrip("=")


def _digest(text: str | None) -> str | None:
    """Also as older versions wrote it, in full."""
    return text if text is None or not _SHORT_DIGEST.fullmatch(text) else urlsafe_b64decode(text + "=").hex()


def _packed_wait(wait: Wait | None) -> bytes | None:
    """Of a sleep the instant alone: there may be very many."""
    if wait is not None and wait == Wait(wake_at=wait.wake_at) and wait.wake_at is not None:
        return encode(wait.wake_at)
    return _optional(wait)


def _wait(content: bytes | None) -> Wait | None:
    found = None if content is None else _decode_wait(content)
    return Wait(wake_at=found) if isinstance(found, datetime) else found


def _as_is(value: Any) -> Any:
    return value


# How each field of an execution becomes the column of its name.
_EXECUTION_COLUMNS: dict[str, Any] = {
    **dict.fromkeys(Execution.__struct_fields__, _as_is),
    **dict.fromkeys(("inputs", "outputs"), encode),
    "error": _optional,
    "wait": _packed_wait,
    **dict.fromkeys(
        ("created_at", "started_at", "ended_at", "lease_until", "ends_by", "archived_at"), to_microseconds
    ),
    "options": _options,
    "flow_version": lambda digest: None if digest is None else short_digest(digest),
}


def wake_at(execution: Execution) -> datetime | None:
    """The timer that the database keeps for it."""
    return execution.wait.wake_at if execution.wait and execution.status is Status.WAITING else None


def execution_row(execution: Execution) -> dict[str, Any]:
    row = {field: column(getattr(execution, field)) for field, column in _EXECUTION_COLUMNS.items()}
    return {**row, "wake_at": to_microseconds(wake_at(execution))}


def changed_columns(old: Execution | None, new: Execution) -> dict[str, Any]:
    """Only the columns in which they differ: inputs and outputs may be large."""
    if old is None:
        return execution_row(new)
    changed: dict[str, Any] = {}
    for field, column in _EXECUTION_COLUMNS.items():
        before, after = getattr(old, field), getattr(new, field)
        if before is not after and before != after:
            changed[field] = column(after)
    if wake_at(old) != wake_at(new):
        changed["wake_at"] = to_microseconds(wake_at(new))
    return changed


def execution(row: Row) -> Execution:
    wish, error, wait = row["wish"], row["error"], row["wait"]
    inputs, outputs = row["inputs"], row["outputs"]
    return Execution(
        id=row["id"],
        type=ExecutionType(row["type"]),
        flow=row["flow"],
        flow_version=_digest(row["flow_version"]),
        name=row["name"],
        directory=row["directory"],
        status=Status(row["status"]),
        created_at=_known_instant(row["created_at"]),
        message=row["message"],
        wish=None if wish is None else Wish(wish),
        inputs={} if inputs == _NO_VALUES else _decode_values(inputs),
        outputs={} if outputs == _NO_VALUES else _decode_values(outputs),
        parent_id=row["parent_id"],
        creation_key=row["creation_key"],
        attempts=row["attempts"],
        started_at=to_instant(row["started_at"]),
        ended_at=to_instant(row["ended_at"]),
        error=None if error is None else _decode_error(error),
        worker_id=row["worker_id"],
        lease_until=to_instant(row["lease_until"]),
        epoch=row["epoch"],
        savepoint_id=row["savepoint_id"],
        resume_mode=ResumeMode(row["resume_mode"]),
        wait=_wait(wait),
        joining=row["joining"],
        cancel_savepoint_id=row["cancel_savepoint_id"],
        options=NO_OPTIONS if row["options"] is None else _decode_options(row["options"]),
        priority=row["priority"],
        owner=row["owner"],
        is_orphan=bool(row["is_orphan"]),
        failures=row["failures"],
        ends_by=to_instant(row["ends_by"]),
        held_back=row["held_back"],
        archived_at=to_instant(row["archived_at"]),
    )


def _packed_draft(draft: SavepointDraft) -> bytes:
    version = draft.flow_version or ""
    is_plain = draft.exact and not (draft.inexact_reason or draft.missing or draft.changes or draft.inputs)
    if not is_plain or draft.outputs is not None or not _VERSION.fullmatch(version):
        return encode(msgspec.structs.replace(draft, manifest=b"", chunks=()))
    site = draft.site
    return encode(
        _PlainDraft(
            kind=draft.kind,
            cell=site.cell,
            line=site.line,
            source=site.source,
            function=site.function,
            name=draft.name,
            bytes_new=draft.bytes_new,
            bytes_total=draft.bytes_total,
            flow_version=bytes.fromhex(version),
        )
    )


def savepoint_row(savepoint: Savepoint) -> dict[str, Any]:
    draft = savepoint.draft
    return {
        "id": savepoint.id,
        "execution_id": savepoint.execution_id,
        "parent_id": savepoint.parent_id,
        "number": savepoint.number,
        "name": draft.name,
        "kind": draft.kind.value,
        "created_at": to_microseconds(savepoint.created_at),
        "call": encode(savepoint.call),
        "draft": _packed_draft(draft),
        "manifest": draft.manifest,
        "chunks": packed_hashes(draft.chunks),
        "effect_ids": encode(savepoint.effect_ids),
        "exact": draft.exact,
        "restores": savepoint.restores,
        "error": _optional(savepoint.error),
        "heard": _optional(savepoint.heard),
    }


def savepoint(row: Row) -> Savepoint:
    """Rows that were read without `manifest` and `chunks` give a draft that has none; likewise `heard`."""
    made = draft(row["draft"])
    if "manifest" in row:
        made = msgspec.structs.replace(made, manifest=bytes(row["manifest"]), chunks=hashes(row["chunks"]))
    return Savepoint(
        id=row["id"],
        execution_id=row["execution_id"],
        parent_id=row["parent_id"],
        number=row["number"],
        created_at=_known_instant(row["created_at"]),
        call=_decode_call(row["call"]),
        draft=made,
        effect_ids=() if row["effect_ids"] == _NO_TEXTS else _decode_texts(row["effect_ids"]),
        restores=row["restores"],
        error=None if row["error"] is None else _decode_error(row["error"]),
        heard=None if row.get("heard") is None else _decode_answer(row["heard"]),
    )


def value(content: bytes) -> Value:
    return _decode_value(content)


def setting(row: Row) -> Setting:
    return Setting(
        name=row["name"],
        value=_decode_any(row["value"]),
        version=row["version"],
        saved_at=_known_instant(row["saved_at"]),
        saved_by=row["saved_by"],
    )


def hashes(content: bytes) -> tuple[str, ...]:
    """Of chunks; also as older versions wrote them, as texts."""
    if content[0] not in _BINARY:
        return _decode_texts(content)
    packed = _decode_bytes(content)
    parts = (packed[start : start + _HASH_BYTES] for start in range(0, len(packed), _HASH_BYTES))
    return tuple(part[:-1].hex() + ("z" if part[-1] else "") for part in parts)


def packed_hashes(chunks: tuple[str, ...]) -> bytes:
    """Half as long as texts: the 16 bytes of each, and one that says whether it is compressed."""
    if not all(map(_HASH.fullmatch, chunks)):
        return encode(chunks)
    return encode(b"".join([bytes.fromhex(one[:32]) + (b"\1" if one[32:] else b"\0") for one in chunks]))


def chunks_of_values(content: bytes) -> set[str]:
    return {chunk for value in _decode_values(content).values() for chunk in value.chunks}


def draft(content: bytes) -> SavepointDraft:
    """Without manifest and chunks, which are columns of their own."""
    if content[0] & _ARRAY_MASK != _ARRAY:
        return _decode_draft(content)
    plain = _decode_plain_draft(content)
    return SavepointDraft(
        kind=plain.kind,
        site=Site(cell=plain.cell, line=plain.line, source=plain.source, function=plain.function),
        manifest=b"",
        chunks=(),
        name=plain.name,
        bytes_new=plain.bytes_new,
        bytes_total=plain.bytes_total,
        flow_version=plain.flow_version.hex() or None,
    )


def chunks_of_call(content: bytes) -> set[str]:
    """Of the arguments of a Flow-API call."""
    call = _decode_call(content)
    return _chunks_of(getattr(call, "inputs", None), getattr(call, "outputs", None))


def chunks_of_answer(content: bytes) -> set[str]:
    """Of what a flow was told."""
    answer = _decode_answer(content)
    return _chunks_of(answer.inputs, answer.outputs)


def _chunks_of(*named: dict[str, Value] | None) -> set[str]:
    return {chunk for values in named if values for value in values.values() for chunk in value.chunks}


def log_line(row: Row) -> LogLine:
    return LogLine(
        number=row["number"],
        execution_id=row["execution_id"],
        at=_known_instant(row["at"]),
        level=LogLevel(row["level"]),
        text=row["text"],
        fields=_decode_fields(row["fields"]),
    )


def flow_source(content: bytes) -> FlowSource:
    return _decode_source(content)


def cell_output(content: bytes) -> CellOutput:
    return _decode_cell(content)


def change(row: Row) -> Change:
    return Change(
        seq=row["seq"], kind=row["kind"], execution_id=row["execution_id"], parent_id=row["parent_id"]
    )


def worker_row(worker: WorkerRecord) -> dict[str, Any]:
    row = msgspec.structs.asdict(worker)
    return {
        **row,
        "started_at": to_microseconds(worker.started_at),
        "seen_at": to_microseconds(worker.seen_at),
    }


def worker(row: Row) -> WorkerRecord:
    return WorkerRecord(
        id=row["id"],
        host=row["host"],
        pid=row["pid"],
        process=row["process"],
        slots=row["slots"],
        started_at=_known_instant(row["started_at"]),
        seen_at=_known_instant(row["seen_at"]),
    )
