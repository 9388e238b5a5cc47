"""How rows are packed, and that those of older versions are still read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace

from jupyter_flows.model import (
    Execution,
    ExecutionType,
    Log,
    ReturnWhen,
    Savepoint,
    SavepointDraft,
    SavepointKind,
    Site,
    Status,
    Value,
    Wait,
)
from jupyter_flows.store import rows

_HASHES = ("6388d77677a96909d8c6ba5c76a37547", "8c1efc18243bc4c891b919df43f644a3z")
_PLAIN = SavepointDraft(
    kind=SavepointKind.NAMED,
    site=Site(cell=3, line=2, source="this.sleep(1)", function="handler"),
    manifest=b"m",
    chunks=_HASHES,
    name="one",
    bytes_new=5,
    bytes_total=6,
    flow_version="6c24" * 16,
)


def savepoint(draft: SavepointDraft) -> Savepoint:
    return Savepoint(
        id="s",
        execution_id="e",
        parent_id=None,
        number=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        call=Log(text="x"),
        draft=draft,
    )


@pytest.mark.parametrize(
    "draft",
    [
        _PLAIN,
        replace(_PLAIN, site=Site(), name=None, flow_version=None, chunks=()),
        replace(_PLAIN, flow_version="v1", chunks=("a", "b c")),
        replace(_PLAIN, flow_version="AB" * 32, chunks=(_HASHES[0].upper(),)),
        replace(_PLAIN, exact=False, inexact_reason="a thread"),
        replace(_PLAIN, changes={"x": Value(json=1)}),
        replace(_PLAIN, inputs={"x": Value(json=1)}),
        replace(_PLAIN, outputs={}),
    ],
)
def test_a_savepoint_comes_back(draft: SavepointDraft) -> None:
    assert rows.savepoint(rows.savepoint_row(savepoint(draft))) == savepoint(draft)


def test_a_row_of_an_older_version_is_read() -> None:
    row = rows.savepoint_row(savepoint(_PLAIN))
    older = {
        "draft": rows.encode(replace(_PLAIN, manifest=b"", chunks=())),
        "chunks": rows.encode(_PLAIN.chunks),
    }
    assert rows.savepoint({**row, **older}) == savepoint(_PLAIN)
    assert 2 * len(row["draft"]) < len(older["draft"])
    assert len(row["chunks"]) < 0.6 * len(older["chunks"])


_INSTANT = datetime(2026, 1, 1, tzinfo=UTC)
_SLEEPER = Execution(
    id="e",
    type=ExecutionType.FLOW,
    flow="nap",
    flow_version="6c24" * 16,
    name="nap",
    directory="/flows",
    status=Status.WAITING,
    created_at=_INSTANT,
    wait=Wait(wake_at=_INSTANT + timedelta(microseconds=1)),
)


@pytest.mark.parametrize(
    "execution",
    [
        _SLEEPER,
        replace(_SLEEPER, flow_version=None, status=Status.QUEUED, wait=None),
        replace(_SLEEPER, flow_version="AB" * 32, wait=Wait(lock="one")),
        replace(_SLEEPER, flow_version="v1", wait=Wait(execution_ids=("a",), wake_at=_INSTANT)),
        replace(_SLEEPER, wait=Wait(return_when=ReturnWhen.FIRST_ENDED, wake_at=_INSTANT)),
    ],
)
def test_an_execution_comes_back(execution: Execution) -> None:
    assert rows.execution(rows.execution_row(execution)) == execution


def test_an_execution_of_an_older_version_is_read() -> None:
    row = rows.execution_row(_SLEEPER)
    older: dict[str, Any] = {"flow_version": _SLEEPER.flow_version, "wait": rows.encode(_SLEEPER.wait)}
    assert rows.execution({**row, **older}) == _SLEEPER
    assert sum(map(len, (row["flow_version"], row["wait"]))) < 0.7 * sum(map(len, older.values()))
