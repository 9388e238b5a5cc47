"""The seeds' and the examples' flows, stopped with SIGKILL at every Flow-API call.

However often and wherever the kernels die, each execution comes to the same outputs, log, shown cells and
children as in an undisturbed run: an effect that was committed is joined, one that was not is done. How a
kernel is made to die is told in `killer/sitecustomize.py`.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from .conftest import RemoteAPI, mend
from .stage import Stage, Story

KILLER = Path(__file__).resolve().parent / "killer"
MOMENTS = ["before", "sent", "answered", "ahead"]
FLOWS = ["child", "child_with_errors", "connection", "load_savepoint", "named_savepoint", "fetch_and_process"]


@pytest.fixture(params=MOMENTS)
def moment(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def arm(monkeypatch: pytest.MonkeyPatch, directory: Path, moment: str, every: int = 1) -> None:
    directory.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(KILLER), prepend=os.pathsep)
    monkeypatch.setenv("KILL_DIRECTORY", str(directory))
    monkeypatch.setenv("KILL_MOMENT", moment)
    monkeypatch.setenv("KILL_EVERY", str(every))


def calls(story: Story) -> int:
    """How many Flow-API calls its log and children alone must have taken."""
    if story.flow in ("SQL", "REST"):
        return 0
    return len(story.log) + len(story.children) + 1 + sum(calls(child) for child in story.children)


@pytest.mark.parametrize("flow", FLOWS)
def test_small_flows_stopped_at_every_call(
    flow: str, moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, remote_api: RemoteAPI
) -> None:
    remote_api.start()
    inputs = {"remote_api": remote_api.address} if flow == "named_savepoint" else {}
    stories = []
    for run in ("undisturbed", "stopped"):
        (tmp_path / run).mkdir()
        stage = Stage(tmp_path / run)
        mend(stage)
        if run == "stopped":
            arm(monkeypatch, tmp_path / "deaths", moment)
        stories.append(stage.story(stage.run(f"savepoints/{flow}", **inputs)))
        stage.close()
    undisturbed, stopped = stories
    assert undisturbed.status == "ENDED_SUCCESS", undisturbed
    assert stopped == undisturbed
    deaths = len(list((tmp_path / "deaths").iterdir()))
    # On the wire it is a race: a call may be committed by the kernel's death and is not stopped again.
    # Ahead of their commits go only calls that tell something, and not the first one of a kernel.
    least = {"sent": calls(undisturbed) // 2, "ahead": 1 if len(undisturbed.log) > 1 else 0}
    assert deaths >= least.get(moment, calls(undisturbed))


def test_a_failing_flow_fails_the_same_way(
    moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The notebook that waits for its mend, then restored and stopped everywhere again."""
    (tmp_path / "stopped").mkdir()
    stage = Stage(tmp_path / "stopped")
    arm(monkeypatch, tmp_path / "deaths", moment)
    failed = stage.run("savepoints/fetch_and_process")
    assert failed.status == "ENDED_ERROR"
    assert failed.error is not None
    assert "remote_api.json is missing" in failed.error.message
    mend(stage)
    restored = stage.restore(failed, "with-fetched-data")
    assert (restored.status, restored.message) == ("ENDED_SUCCESS", "all done")
    assert stage.connections(restored) == 1
    stage.close()


def flights_stopped(path: Path, monkeypatch: pytest.MonkeyPatch, moment: str, every: int) -> None:
    stories = []
    for run in ("undisturbed", "stopped"):
        (path / run).mkdir()
        stage = Stage(path / run)
        if run == "stopped":
            arm(monkeypatch, path / "deaths", moment, every)
        stories.append(stage.story(stage.run("flights/on_time")))
        stage.close()
    undisturbed, stopped = stories
    assert undisturbed.status == "ENDED_SUCCESS", undisturbed
    assert stopped == undisturbed
    assert any((path / "deaths").iterdir())


def test_flights_stopped_here_and_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flights_stopped(tmp_path, monkeypatch, "answered", every=5)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_flights_stopped_at_every_call(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flights_stopped(tmp_path, monkeypatch, moment, every=1)
