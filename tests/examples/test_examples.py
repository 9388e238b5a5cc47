"""Every example runs to its end, and does what its prose says."""

from __future__ import annotations

import ast
import base64
import json
from pathlib import Path

import pytest

from .conftest import RemoteAPI, mend
from .stage import EXAMPLES, Stage


def test_child(stage: Stage) -> None:
    story = stage.story(stage.run("savepoints/child"))
    assert (story.status, story.message) == ("ENDED_SUCCESS", "all done")
    assert story.log == [("info", "the child says", {"greeting": "hello from the child"})]
    (child,) = story.children
    assert (child.status, child.outputs) == ("ENDED_SUCCESS", {"greeting": "hello from the child"})


def test_child_with_errors(stage: Stage) -> None:
    story = stage.story(stage.run("savepoints/child_with_errors"))
    assert story.status == "ENDED_SUCCESS"
    assert [text for _, text, _ in story.log] == [
        "my_other_flow_name failed",
        "my_other_flow_name succeeded",
    ]
    assert [child.status for child in story.children] == ["ENDED_ERROR", "ENDED_SUCCESS"]


def test_connection(stage: Stage) -> None:
    execution = stage.run("savepoints/connection")
    story = stage.story(execution)
    assert story.status == "ENDED_SUCCESS", story
    ((_, _, fields),) = story.log
    assert fields["rows"] == 15
    assert fields["first"] == {"airline": "United Air Lines Inc.", "flights": 655, "mean_delay": 0.3}
    assert stage.connections(execution) == 1


def test_load_savepoint_goes_back_until_it_works(stage: Stage) -> None:
    execution = stage.run("savepoints/load_savepoint")
    story = stage.story(execution)
    assert (story.status, story.message) == ("ENDED_SUCCESS", "all done at attempt 3")
    assert story.outputs == {"attempts": 3}
    assert [fields["attempt"] for _, _, fields in story.log] == [1, 2]
    assert [child.status for child in story.children] == ["ENDED_ERROR", "ENDED_ERROR", "ENDED_SUCCESS"]


def test_named_savepoint_is_restored_once_the_remote_api_is_up(stage: Stage, remote_api: RemoteAPI) -> None:
    failed = stage.run("savepoints/named_savepoint", remote_api=remote_api.address)
    assert failed.status == "ENDED_ERROR"
    assert failed.error is not None
    assert failed.error.type == "DependencyFailedError"

    remote_api.start()
    restored = stage.restore(failed, "with-fetched-data")
    assert (restored.status, restored.message) == ("ENDED_SUCCESS", "all done")
    assert restored.output_value["worst"]["mean_delay"] > 0
    names = [child.name for child in stage.engine.children(restored.id)]
    assert names.count("remote-api") == 2
    assert len(names) == 3, "the data was fetched again"


def test_fetch_fail_mend_restore(stage: Stage) -> None:
    failed = stage.run("savepoints/fetch_and_process")
    assert failed.status == "ENDED_ERROR"
    assert failed.error is not None
    assert "remote_api.json is missing" in failed.error.message
    assert stage.connections(failed) == 1

    mend(stage)
    restored = stage.restore(failed, "with-fetched-data")
    assert (restored.status, restored.message) == ("ENDED_SUCCESS", "all done")
    assert restored.output_value["flights"] > 1000
    assert stage.connections(restored) == 1, "the data was fetched again"


def test_inputs_win_over_parameters(stage: Stage) -> None:
    mend(stage)
    by_default = stage.run("savepoints/fetch_and_process")
    chosen = stage.run("savepoints/fetch_and_process", origin="LGA")
    assert by_default.status == chosen.status == "ENDED_SUCCESS"
    assert by_default.output_value["flights"] != chosen.output_value["flights"]


def test_flights_fan_out_and_come_together(stage: Stage) -> None:
    execution = stage.run("flights/on_time")
    story = stage.story(execution)
    assert (story.status, story.message) == ("ENDED_SUCCESS", "4 of 5 airlines"), story
    assert {child.name: child.status for child in story.children} == {
        "United Air Lines Inc.": "ENDED_SUCCESS",
        "JetBlue Airways": "ENDED_SUCCESS",
        "ExpressJet Airlines Inc.": "ENDED_SUCCESS",
        "Delta Air Lines Inc.": "ENDED_SUCCESS",
        "SkyWest Airlines Inc.": "ENDED_ERROR",
    }
    assert story.outputs["left_out"] == ["OO"]
    assert story.outputs["figures"]["United Air Lines Inc."]["flights"] == 58665
    assert [text for level, text, _ in story.log if level == "warning"] == ["an airline is left out"]
    pictures = [
        output["data"]["image/png"]
        for cell in stage.engine.notebook(execution.id)["cells"]
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 1
    assert base64.b64decode(pictures[0]).startswith(b"\x89PNG")


@pytest.mark.parametrize("path", sorted(EXAMPLES.rglob("*.ipynb")), ids=lambda path: path.stem)
def test_notebooks_are_kept_without_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert notebook["metadata"]["kernelspec"]["name"] == "flows"
    assert notebook["nbformat"] == 4
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in code)
    for cell in code:
        ast.parse("".join(cell["source"]))
