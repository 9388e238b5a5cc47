"""The package is upgraded between stop and start: this version goes on with what an older one left."""

from __future__ import annotations

import asyncio
import gzip
import re
import sqlite3
from pathlib import Path

import pytest

from jupyter_flows.engine import Engine, FlowLibrary, Worker
from jupyter_flows.model import ExecutionView, Status
from jupyter_flows.store import open_store

from .make_store import FLOWS, KEY, STORES

#: Up to this schema, savepoints did not bring the form that their code had under the rules of then.
LAST_WITHOUT_FORMS = "0004"
ALL = sorted(STORES.glob("*.sqlite.gz"))
TOO_OLD = [path for path in ALL if path.name.partition(".")[0] <= LAST_WITHOUT_FORMS]
EXHIBITS = [path for path in ALL if path not in TOO_OLD]
_SLEPT = [0, 1, 2, 3, 4, "slept"]


def taken_from(exhibit: Path, root: Path) -> str:
    """The store as if it had been written in `root`."""
    path = root / "store.db"
    path.write_bytes(gzip.decompress(exhibit.read_bytes()))
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE executions SET directory = ?", [str(root)])
    connection.close()
    for name, source in FLOWS.items():
        (root / f"{name}.py").write_text(source)
    return f"sqlite:///{path}"


async def ended(engine: Engine) -> dict[str, ExecutionView]:
    """All executions by name, when the worker has brought them to their ends."""
    worker = Worker(engine, slots=3, sleep_max_seconds=0.0)
    await worker.start()
    try:
        for view in engine.executions().executions:
            if view.status is Status.PAUSED:
                engine.resume(view.id)
        await worker.until_idle()
    finally:
        await worker.stop()
    return {view.name: view for view in engine.executions().executions}


def schema_of(path: Path) -> str:
    return path.name.partition(".")[0]


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=schema_of)
def test_what_an_older_version_left_is_gone_on_with(
    exhibit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_FLOWS_KEY", KEY)
    store = open_store(taken_from(exhibit, tmp_path))
    engine = Engine(store, FlowLibrary(tmp_path))
    before = {view.name: view.status for view in engine.executions().executions}
    assert set(before.values()) == set(Status), "it does not show every status"
    found = asyncio.run(asyncio.wait_for(ended(engine), 300))
    outputs = {name: view.output_value for name, view in found.items()}
    assert found["failing"].status is Status.ENDED_ERROR
    assert found["cancelled"].status is Status.ENDED_CANCELLED
    for name in ("sleeper", "parent", "computing", "ended", "queued", "paused"):
        assert found[name].status is Status.ENDED_SUCCESS, found[name]
    assert outputs["sleeper"] == outputs["paused"] == {"found": {"rows": _SLEPT}}
    assert outputs["parent"] == {"rows": ["slept", "slept"]}
    assert outputs["computing"] == {"total": 45}
    assert outputs["ended"] == outputs["queued"] == {"parts": ["kept", "at the end"]}
    assert [line.text for line in engine.log(found["computing"].id)] == ["computes"], "it was run again"
    assert [view.name for view in engine.executions(text="before the sleep", name="paused").executions]
    named = next(one for one in engine.savepoints(found["ended"].id) if one.name)
    engine.restore(named.id)
    again = asyncio.run(asyncio.wait_for(ended(engine), 300))["ended"]
    assert again.status is Status.ENDED_SUCCESS
    assert again.output_value == {"parts": ["kept", "at the end"]}
    engine.close()
    store.close()


@pytest.mark.parametrize("exhibit", TOO_OLD, ids=schema_of)
def test_savepoints_without_the_form_of_their_code_are_refused_in_words_and_kept(
    exhibit: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_FLOWS_KEY", KEY)
    store = open_store(taken_from(exhibit, tmp_path))
    engine = Engine(store, FlowLibrary(tmp_path))
    kept = {view.id: view.savepoints for view in engine.executions().executions}
    found = asyncio.run(asyncio.wait_for(ended(engine), 300))
    for name in ("sleeper", "parent", "computing", "paused"):
        error = found[name].error
        assert error is not None
        assert error.type == "SavepointError"
        assert re.search(r"it was saved by version \d of the rules without the form", error.message)
        assert found[name].savepoints == kept[found[name].id]
    for name in ("ended", "queued"):
        assert found[name].output_value == {"parts": ["kept", "at the end"]}
    engine.close()
    store.close()
