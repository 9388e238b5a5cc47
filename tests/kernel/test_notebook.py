"""The kernel behind a notebook: a real Jupyter kernel, a real worker, a person's cells."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import KernelManager

from jupyter_flows.engine import Engine, FlowLibrary, Worker
from jupyter_flows.store import open_store

SECONDS = 120

SCORE = """
def handler(system, this, inputs):
    this.log('scoring', inputs['region'])
    this.set_output('score', len(inputs['region']))
    return this.success('scored')
"""


class WorkerThread:
    """A worker in an event loop of its own, as the server hosts one."""

    def __init__(self, engine: Engine) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self.worker = Worker(engine, slots=2)
        self._run(self.worker.start())

    def stop(self) -> None:
        self._run(self.worker.stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SECONDS)


class Notebook:
    """A notebook on the Flows kernel, for one who types cells."""

    def __init__(self, directory: Path, socket_path: str | None) -> None:
        environment = {
            name: value for name, value in os.environ.items() if not name.startswith("JUPYTER_FLOWS")
        }
        environment["JPY_SESSION_NAME"] = str(directory / "story.ipynb")
        if socket_path is not None:
            environment["JUPYTER_FLOWS_SOCKET"] = socket_path
        manager = KernelManager(kernel_name="python3")
        manager.kernel_spec.argv = [
            sys.executable,
            *["-m", "jupyter_flows.kernel", "-f", "{connection_file}"],
        ]
        manager.start_kernel(cwd=str(directory), env=environment)
        self._manager = manager
        self._client: BlockingKernelClient = manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=SECONDS)

    def run(self, source: str) -> str:
        """Run a cell; returns what it showed, errors as ``Name: message``."""
        shown: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            kind = message["header"]["msg_type"]
            if kind == "stream":
                shown.append(content["text"])
            elif kind in ("execute_result", "display_data"):
                shown.append(content["data"].get("text/plain", ""))
            elif kind == "error":
                shown.append(f"{content['ename']}: {content['evalue']}")

        self._client.execute_interactive(source, timeout=SECONDS, output_hook=hear, allow_stdin=False)
        return "".join(shown)

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    (tmp_path / "story.ipynb").write_text("{}")
    (tmp_path / "score.py").write_text(SCORE)
    store = open_store(f"sqlite:///{tmp_path}/store.sqlite")
    engine = Engine(store, FlowLibrary(tmp_path))
    yield engine
    engine.close()
    store.close()


@pytest.fixture
def worker(engine: Engine) -> Iterator[WorkerThread]:
    made = WorkerThread(engine)
    yield made
    made.stop()


Opener = Callable[[], Notebook]


@pytest.fixture
def open_notebook(tmp_path: Path, worker: WorkerThread) -> Iterator[Opener]:
    opened: list[Notebook] = []

    def open_one() -> Notebook:
        opened.append(Notebook(tmp_path, worker.worker.socket_path))
        return opened[-1]

    yield open_one
    for notebook in opened:
        notebook.close()


def test_a_notebook_is_an_execution_and_every_finished_cell_makes_a_savepoint(
    engine: Engine, open_notebook: Opener
) -> None:
    notebook = open_notebook()
    assert notebook.run("x = 6 * 7\nx") == "42"
    notebook.run("y = [x]")
    (execution,) = engine.executions().executions
    assert execution.type == "NOTEBOOK"
    assert [(point.action, point.cell, point.source) for point in engine.savepoints(execution.id)] == [
        ("cell", 0, "x = 6 * 7"),
        ("cell", 1, "y = [x]"),
    ]


def test_this_starts_children_from_a_cell(engine: Engine, open_notebook: Opener) -> None:
    notebook = open_notebook()
    assert notebook.run("this.flow('score', region='north').get('output_value')") == "{'score': 5}"
    (notebook_execution,) = engine.executions(roots_only=True).executions
    assert [child.status for child in engine.children(notebook_execution.id)] == ["ENDED_SUCCESS"]


def test_magics_run_list_and_show(engine: Engine, open_notebook: Opener) -> None:
    notebook = open_notebook()
    assert "ENDED_SUCCESS" in notebook.run('%flow run score region="south"')
    assert "score  script" in notebook.run("%flow list")
    assert "scored" in notebook.run("%flow children")
    notebook.run("%flow savepoint here")
    assert "here" in notebook.run("%flow savepoints")
    assert "%flow knows no command 'fly'" in notebook.run("%flow fly")
    assert "InvalidInputError" in notebook.run("%flow run")
    assert "ResourceNotFoundError" in notebook.run("%flow run no_such_flow")
    assert "%flow run NAME" in notebook.run("%flow")
    assert engine.executions(flow="score").executions[0].input_value == {"region": "south"}


def test_a_restore_puts_the_variables_back_and_goes_on_within_the_cell(open_notebook: Opener) -> None:
    notebook = open_notebook()
    notebook.run("rows = [1, 2]\nalias = rows\ndef total():\n    return sum(rows)\nshell = get_ipython()")
    assert (
        notebook.run(
            "for n in range(2):\n    this.create_savepoint('in loop')\n    print('round', n, total())"
        )
        == "round 0 3\nround 1 3\n"
    )
    notebook.run("rows = None\ndel alias")
    listing = notebook.run("%flow savepoints")
    first = next(line for line in listing.splitlines() if "in loop" in line)
    savepoint = re.split(r"\s+", first.strip())[-1]
    assert notebook.run(f"%flow restore {savepoint}") == "round 0 3\nround 1 3\n"
    assert notebook.run("rows.append(4)\nalias, total(), shell is get_ipython()") == "([1, 2, 4], 7, True)"


def test_a_new_kernel_of_the_same_notebook_goes_on_by_name(open_notebook: Opener) -> None:
    first = open_notebook()
    first.run("import math\nstate = {'pi': math.pi}\n")
    first.run("%flow savepoint ready")
    first.run("state = 'spoiled'")
    first.close()
    second = open_notebook()
    assert "NameError" in second.run("state")
    assert "ready" in second.run("%flow savepoints")
    second.run("%flow restore ready")
    assert second.run("state['pi'] == math.pi") == "True"


def test_a_restore_with_the_current_code_of_the_notebook(tmp_path: Path, open_notebook: Opener) -> None:
    define = "def price(x):\n    return x * 100"
    use = "total = 0\nfor n in (1, 2):\n    this.create_savepoint('in loop')\n    total += price(n)\ntotal"

    def save(*cells: str) -> None:
        listed = [{"cell_type": "code", "id": f"c{at}", "source": text} for at, text in enumerate(cells)]
        (tmp_path / "story.ipynb").write_text(json.dumps({"nbformat": 4, "cells": listed}))

    notebook = open_notebook()
    assert notebook.run(define) == ""
    assert notebook.run(use) == "300"
    save(define.replace("100", "10"), "# a new cell", use.replace("+= price(n)", "+= price(n) + 1"))
    # The newest of that name was made in the second round: `total` is 100 there.
    assert notebook.run("%flow restore 'in loop' --code current") == "121"
    assert notebook.run("price(3)") == "30"
    save(define, use.replace("in loop", "elsewhere"))
    shown = notebook.run("%flow restore 'in loop' --code current")
    assert "SavepointError: the new code does not fit" in shown
    assert "elsewhere" in shown
    assert "takes saved or current" in notebook.run("%flow restore x --code new")


def test_an_interrupted_wait_leaves_the_kernel_usable(engine: Engine, open_notebook: Opener) -> None:
    notebook = open_notebook()
    notebook.run("x = 1")
    listening = threading.Event()
    stop_listening = engine.on_change(lambda change: listening.set() if change.kind == "savepoint" else None)
    interrupter = threading.Thread(
        target=lambda: (listening.wait(SECONDS), notebook._manager.interrupt_kernel())
    )
    interrupter.start()
    assert "KeyboardInterrupt" in notebook.run("this.sleep(3600)")
    interrupter.join()
    stop_listening()
    assert notebook.run("this.log('still here')\nx") == "1"


def test_without_a_worker_cells_run_and_the_kernel_says_so_once(tmp_path: Path) -> None:
    notebook = Notebook(tmp_path, None)
    try:
        shown = notebook.run("40 + 2")
        assert "42" in shown
        assert "No savepoint was made" in shown
        assert notebook.run("1 + 1") == "2"
        assert "InternalError" in notebook.run("this.log('x')")
    finally:
        notebook.close()


def test_the_end_of_a_flow_ends_the_cell_with_one_line(open_notebook: Opener) -> None:
    notebook = open_notebook()
    shown = notebook.run("x = 1\nthis.success('that is all')\nx = 2")
    assert shown == "The flow ended here (line 2) with success: that is all\n"
    assert notebook.run("x") == "1"


def test_a_fork_of_a_running_cell_goes_on_as_an_execution_of_its_own(
    engine: Engine, open_notebook: Opener
) -> None:
    notebook = open_notebook()
    notebook.run("x = 1\nthis.create_savepoint('here')\nthis.set_output(x=x)\nthis.log('end of cell')")
    (original,) = engine.executions(roots_only=True).executions
    (point,) = [point for point in engine.savepoints(original.id) if point.name == "here"]
    ended = threading.Event()
    fork = engine.fork(point.id)

    def look(_: Any) -> None:
        if engine.execution(fork.id).status.is_final:
            ended.set()

    stop_looking = engine.on_change(look)
    look(None)
    assert ended.wait(SECONDS)
    stop_looking()
    forked = engine.execution(fork.id)
    assert (forked.status, forked.output_value) == ("ENDED_SUCCESS", {"x": 1}), forked.message
    assert [line.text for line in engine.log(fork.id)] == ["end of cell"]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "missing"])
def test_a_live_kernel_keeps_what_it_has_when_a_savepoint_has_lost_bytes(
    engine: Engine, open_notebook: Opener, damage: str
) -> None:
    notebook = open_notebook()
    notebook.run("rows = list(range(100_000))")
    notebook.run("data = bytes(range(256)) * 2000; import random; data = random.Random(1).randbytes(500_000)")
    (execution,) = engine.executions().executions
    first, second = engine.savepoints(execution.id)
    notebook.run("data, rows, kept = b'', None, 'as it was'")
    directory = engine.store.chunk_directory
    assert directory is not None
    with engine.store.reading() as transaction:
        older, newer = (transaction.savepoint(one.id).draft.chunks for one in (first, second))
    file = next(
        path
        for path in sorted(Path(directory).rglob("*"))
        if path.name in newer and path.name not in older and path.stat().st_size > 100_000
    )
    content = file.read_bytes()
    if damage == "missing":
        file.unlink()
    else:
        file.write_bytes(content[:-100] if damage == "truncated" else bytes([content[0] ^ 1]) + content[1:])
    shown = notebook.run(f"%flow restore {second.id}")
    assert "SavepointError" in shown
    assert file.name in shown
    assert "lost are data" in shown
    assert f"`%flow restore {first.id}`" in shown
    assert notebook.run("data, rows, kept") == "(b'', None, 'as it was')"
    notebook.run(f"%flow restore {first.id}")
    assert notebook.run("len(rows)") == "100000"
