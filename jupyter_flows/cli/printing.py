"""How the command line shows things: tables for people, the fields of REST for programs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ..engine.upkeep import Collected, StorageView
from ..model import ExecutionView, LogLine, SavepointView, VariableChange, VariableView


def as_json(value: Any) -> None:
    print(msgspec.json.format(msgspec.json.encode(value), indent=2).decode())


def as_json_line(value: Any) -> None:
    print(msgspec.json.encode(value).decode(), flush=True)


def execution(view: ExecutionView, is_json: bool) -> None:
    if is_json:
        as_json(view)
        return
    rows = [
        ("id", view.id),
        ("name", view.name if view.name != view.flow else None),
        ("type", view.type.value),
        ("flow", view.flow),
        ("version", (view.flow_version or "")[:12]),
        ("status", view.status.value),
        ("wish", view.wish.value if view.wish else None),
        ("held back", _held_back(view)),
        ("message", view.message),
        ("inputs", _json(view.input_value) if view.input_value else None),
        ("outputs", _json(view.output_value) if view.output_value else None),
        ("parent", view.parent_id),
        ("children", view.children),
        ("savepoints", view.savepoints),
        ("attempts", view.attempts),
        ("created", _instant(view.created_at)),
        ("started", _instant(view.started_at)),
        ("ended", _instant(view.ended_at)),
    ]
    for name, value in rows:
        if value not in (None, "", 0):
            print(f"{name:<10}  {value}")
    if view.error is not None:
        text = view.error.traceback or f"{view.error.type}: {view.error.message}"
        print(f"\n{text.rstrip()}")


def executions(views: Iterable[ExecutionView]) -> None:
    rows = [
        (view.id, view.status.value, view.flow or "", _instant(view.created_at), _message(view))
        for view in views
    ]
    _table(("ID", "STATUS", "FLOW", "CREATED", "MESSAGE"), rows, "no executions")


def _held_back(view: ExecutionView) -> str | None:
    """By which limit a queued execution is kept from being begun."""
    kind, _, name = (view.held_back or "").partition(":")
    return {
        "flow": f"the limit of the flow {name} is reached",
        "owner": "the limit of its owner is reached",
    }.get(kind)


def _message(view: ExecutionView) -> str:
    if (why := _held_back(view)) is not None:
        return f"held back: {why}"
    if view.message or view.error is None:
        return view.message or ""
    return f"{view.error.type}: {view.error.message}"


def savepoints(views: Iterable[SavepointView]) -> None:
    rows = [
        (
            view.id,
            str(view.number),
            view.name or "",
            _instant(view.created_at),
            view.action + ("" if view.exact else " (not exact)"),
            _where(view),
            _size(view.bytes_new),
            str(len(view.missing) or ""),
            view.last_command,
        )
        for view in views
    ]
    titles = ("ID", "NR", "NAME", "CREATED", "ACTION", "WHERE", "NEW", "MISSING", "LAST COMMAND")
    _table(titles, rows, "no savepoints")


def variables(views: Iterable[VariableView]) -> None:
    rows = [
        (view.scope, view.name, view.type, _shape(view), _size(view.bytes), view.missing or view.text)
        for view in views
    ]
    _table(("SCOPE", "NAME", "TYPE", "SHAPE", "SIZE", "VALUE"), rows, "no variables")


def difference(changes: Iterable[VariableChange]) -> None:
    rows = []
    for sign, kind in (("+", "added"), ("-", "removed"), ("~", "changed")):
        for change in changes:
            if change.kind == kind:
                view = change.after or change.before
                assert view is not None
                rows.append((sign, change.scope, change.name, change.detail or _described(view)))
    _table(("", "SCOPE", "NAME", "VALUE"), rows, "no differences")


def log_line(line: LogLine) -> str:
    fields = "".join(f" {name}={_json(value)}" for name, value in line.fields.items())
    return f"{_instant(line.at)} {line.level.value:<7} {line.text}{fields}"


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> None:
    """Columns side by side; on a terminal the last one is cut to what fits."""
    if not rows:
        print(empty)
        return
    lines = [[_one_line(cell) for cell in row] for row in (titles, *rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(titles) - 1)]
    room = shutil.get_terminal_size((10_000, 24)).columns if sys.stdout.isatty() else 10_000
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=False)]
        text = "  ".join([*cells, line[-1]]).rstrip()
        print(text if len(text) <= room else text[: max(room - 1, 1)] + "…")


def storage(found: StorageView, limit: int) -> None:
    print(f"{_size(found.bytes) or 'nothing'} in {found.chunks} chunks")
    free = _size(found.reclaimable_bytes)
    if free:
        print(f"{free} of it belongs to nothing any more: --collect frees it, a worker does within hours")
    if not found.kinds:
        return
    print()
    _table(("KIND", "SIZE"), [(kind.name, _size(kind.bytes)) for kind in found.kinds], "nothing")
    print()
    flows = [
        (one.name, str(one.executions), str(one.savepoints), _size(one.bytes), _size(one.own_bytes))
        for one in found.flows
    ]
    _table(("FLOW", "EXECUTIONS", "SAVEPOINTS", "SIZE", "OWN"), flows, "no flows")
    print()
    rows = [
        (
            one.name,
            one.flow or "",
            str(one.status or ""),
            str(one.savepoints),
            _size(one.bytes),
            _size(one.own_bytes),
        )
        for one in found.executions[:limit]
    ]
    _table(("EXECUTION", "FLOW", "STATUS", "SAVEPOINTS", "SIZE", "OWN"), rows, "no executions")
    print("\nOWN is what archiving would free: chunks that nothing else refers to.")


def collected(found: Collected) -> None:
    waiting = _size(found.waiting_bytes)
    later = f"; {waiting} more when they have been unused for an hour" if waiting else ""
    print(f"freed {_size(found.bytes) or 'nothing'}{later}\n")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _instant(at: datetime | None) -> str:
    """In the zone of the person who reads it."""
    return at.astimezone().strftime("%Y-%m-%d %H:%M:%S") if at else ""


def _where(view: SavepointView) -> str:
    cell = "" if view.cell is None else f"cell {view.cell + 1}, "
    return f"{cell}line {view.line}" if view.line else ""


def _size(count: int) -> str:
    size, units = float(count), ["B", "kB", "MB", "GB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.3g} {units[0]}" if count else ""


def _shape(view: VariableView) -> str:
    return " x ".join(map(str, view.shape)) if view.shape is not None else ""


def _described(view: VariableView) -> str:
    return view.missing or view.text or view.type
