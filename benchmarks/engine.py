"""How fast the engine runs executions and Flow-API calls, goes on after a crash, and how little sleep costs.

    python -m benchmarks.engine [--json FILE] [--rounds N] [--quick] [--only NAME …]

Compared with DBOS (steps in the worker's own process, no kernel, no frames in its savepoints) and papermill
(a kernel per notebook, nothing durable), on the same machine, in turns, on the same disk: on SQLite (WAL,
``synchronous=FULL``), and as ``postgresql_…`` on a PostgreSQL that is started for it. Ours runs as
users run it: every execution in a kernel, every call with a savepoint of all variables. Processor seconds
per call are given beside the rates, since a machine may have other work. Competitors get an environment of
their own in the user's cache directory; without network they are left out, and the table says so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from msgspec.structs import replace

from jupyter_flows.engine.flows import FlowLibrary
from jupyter_flows.engine.identifiers import new_id
from jupyter_flows.engine.ledger import OUTPUTS_EVERY
from jupyter_flows.engine.service import Engine
from jupyter_flows.engine.worker import Worker
from jupyter_flows.model import ExecutionView, Status, Wait
from jupyter_flows.store import open_store
from tests.store import postgresql

ROOT = Path(__file__).resolve().parent.parent
FLOWS = {
    "trivial": "def handler(system, this):\n    return this.success()\n",
    "line": "def handler(system, this):\n    this.create_savepoint('first line')\n",
    "calls": (
        "import os\n"
        "def handler(system, this, inputs):\n"
        "    before = os.times()\n"
        "    for n in range(inputs['n']):\n"
        "        this.set_output('n', n)\n"
        "    now = os.times()\n"
        "    this.set_output('cpu', now.user + now.system - before.user - before.system)\n"
    ),
    "waited": (
        "def handler(system, this, inputs):\n"
        "    for n in range(inputs['n']):\n"
        "        this.create_savepoint('one')\n"
    ),
    "fan": (
        "def handler(system, this, inputs):\n"
        "    children = [this.flow('trivial', wait=False) for _ in range(inputs['n'])]\n"
        "    this.wait_for(*children)\n"
    ),
    "sleeper": "def handler(system, this):\n    this.sleep(3600)\n",
}
Figures = dict[str, float]
PARTS = ["speed", "postgresql", "recovery", "sleepers", "growth"]


class House:
    """An engine over a fresh store in a directory of its own; `url` None: an SQLite file there."""

    def __init__(self, directory: Path, url: str | None = None) -> None:
        self.directory = directory
        self.root = directory / "flows"
        self.root.mkdir()
        for name, source in FLOWS.items():
            (self.root / f"{name}.py").write_text(source)
        self.file = directory / "store.db"
        self.url = url or f"sqlite:///{self.file}"
        self.engine = Engine(open_store(self.url), FlowLibrary(self.root))

    async def until(self, execution_id: str, wanted: Callable[[ExecutionView], bool]) -> ExecutionView:
        loop, changed = asyncio.get_running_loop(), asyncio.Event()
        dispose = self.engine.on_change(lambda _: loop.call_soon_threadsafe(changed.set))
        try:
            while not wanted(view := self.engine.execution(execution_id)):
                changed.clear()
                await asyncio.wait_for(changed.wait(), 300)
            return view
        finally:
            dispose()

    async def run(self, flow: str, **inputs: Any) -> ExecutionView:
        view = await self.until(self.engine.start(flow, inputs).id, lambda view: view.status.is_final)
        assert view.status is Status.ENDED_SUCCESS, view
        return view

    def close(self) -> None:
        self.engine.close()
        self.engine.store.close()


def seconds(view: ExecutionView) -> float:
    assert view.ended_at is not None
    assert view.started_at is not None
    return (view.ended_at - view.started_at).total_seconds()


async def with_worker(house: House, work: Callable[[], Awaitable[Figures]], **options: Any) -> Figures:
    worker = Worker(house.engine, **options)
    await worker.start()
    try:
        await house.run("trivial")  # all imports are done, all pools are filled
        return await work()
    finally:
        await worker.stop()


def processor() -> float:
    """Seconds of processor that this process, the worker among it, has used."""
    used = os.times()
    return used.user + used.system


async def speed(house: House, counts: dict[str, int]) -> Figures:
    """Executions, children and calls per second, and the time to a flow's first line and to its result."""

    async def work() -> Figures:
        began = time.perf_counter()
        for _ in range(counts["one_by_one"]):
            await house.run("trivial")
        executions = counts["one_by_one"] / (time.perf_counter() - began)
        fan = seconds(await house.run("fan", n=counts["children"]))
        before = processor()
        view = await house.run("calls", n=counts["calls"])
        used = (view.output_value or {})["cpu"] + processor() - before
        waited = seconds(await house.run("waited", n=counts["calls"] // 4))
        return {
            "executions_per_s": executions,
            "children_per_s": counts["children"] / fan,
            "calls_per_s": counts["calls"] / seconds(view),
            "cpu_ms_per_call": 1000 * used / counts["calls"],
            "waited_calls_per_s": counts["calls"] // 4 / waited,
            **await together(house, counts),
            **await delays(house, counts["starts"]),
        }

    return await with_worker(house, work, slots=8)


async def together(house: House, counts: dict[str, int]) -> Figures:
    """Calls per second of many executions at once."""
    before, began = processor(), time.perf_counter()
    each = counts["calls"] // 10
    views = await asyncio.gather(*(house.run("calls", n=each) for _ in range(counts["at_once"])))
    calls = counts["at_once"] * each
    used = sum((view.output_value or {})["cpu"] for view in views) + processor() - before
    return {
        "calls_of_many_per_s": calls / (time.perf_counter() - began),
        "cpu_ms_per_call_of_many": 1000 * used / calls,
    }


async def delays(house: House, count: int) -> Figures:
    """Milliseconds from the request to start a flow to its first line, and to its result."""
    first, result = [], []
    for _ in range(count):
        await asyncio.sleep(0.3)  # as a person starts flows: the next kernel is ready again
        view = await house.run("line")
        line = house.engine.savepoints(view.id)[0]
        assert view.ended_at is not None
        first.append((line.created_at - view.created_at).total_seconds() * 1000)
        result.append((view.ended_at - view.created_at).total_seconds() * 1000)
    return {
        "first_line_ms": median(first),
        "first_line_p99_ms": quantiles(first, n=100)[98],
        "result_ms": median(result),
        "result_p99_ms": quantiles(result, n=100)[98],
    }


def lengthen(house: House, execution_id: str, count: int) -> None:
    """Give an execution that stands still `count` more savepoints, copies of its newest."""
    with house.engine.store.writing() as transaction:
        execution = transaction.execution(execution_id, lock=True)
        assert execution is not None
        assert execution.savepoint_id is not None
        savepoint = transaction.savepoint(execution.savepoint_id)
        assert savepoint is not None
        before, number = savepoint.id, transaction.next_savepoint_number(execution_id)
        for place in range(number, number + count):
            kept = None if place % OUTPUTS_EVERY else execution.outputs
            draft = replace(savepoint.draft, outputs=kept)
            copied = replace(savepoint, id=new_id(), parent_id=before, number=place, draft=draft)
            transaction.insert_savepoint(copied)
            before = copied.id
        transaction.update_execution(replace(execution, savepoint_id=before), epoch=execution.epoch)


async def recovery(house: House, history: int, pending: int = 0) -> float:
    """Seconds from ``kill -9`` of a worker to the next call on another one.

    Arguments: `history`, how many calls the execution has made before; `pending`, how many others wait to be
    woken by a timer or a free slot.
    """

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "benchmarks.engine", "--worker", house.url, str(house.root)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    view = house.engine.start("calls", {"n": 10_000_000})

    async def begin() -> Figures:
        await house.until(view.id, lambda view: view.savepoints >= 10)
        return {}

    await with_worker(house, begin)
    if history > 10:
        lengthen(house, view.id, history)
    first = start()
    reached = house.engine.execution(view.id).savepoints
    await house.until(view.id, lambda view: view.savepoints > reached + 10)
    for _ in range(pending):
        house.engine.start("calls", {"n": 10_000_000})
    second = start()
    first.kill()
    first.wait()
    began = time.perf_counter()
    reached = house.engine.execution(view.id).savepoints
    await house.until(view.id, lambda view: view.savepoints > reached)
    took = time.perf_counter() - began
    second.kill()
    second.wait()
    return took


async def sleepers(house: House, count: int, woken: int) -> Figures:
    """Bytes of store per sleeping execution, and wake-ups per second to the very end of the flow."""

    async def put_to_sleep() -> Figures:
        view = house.engine.start("sleeper")
        await house.until(view.id, lambda view: view.status is Status.WAITING)
        return {}

    await with_worker(house, put_to_sleep)
    (first,) = house.engine.executions(flow="sleeper").executions
    empty = await memory_of_a_worker(house)
    # The others are copies of one that a kernel put to sleep: rows are all that there is of it.
    before = size_of(house)
    with house.engine.store.writing() as transaction:
        pattern = transaction.execution(first.id)
        assert pattern is not None
        assert pattern.savepoint_id is not None
        savepoint = transaction.savepoint(pattern.savepoint_id)
        assert savepoint is not None
        cells = transaction.cells(first.id)
        # All ring at once, when the worker is ready for them.
        alarm = house.engine.clock() + timedelta(seconds=60)
        for number in range(count):
            execution_id, savepoint_id = new_id(), new_id()
            due = number < woken
            wake_at = alarm if due else alarm + timedelta(days=365)
            created_at = savepoint.created_at - (timedelta(days=1) if due else timedelta(0))
            transaction.insert_execution(
                replace(pattern, id=execution_id, savepoint_id=savepoint_id, wait=Wait(wake_at=wake_at))
            )
            copied = replace(savepoint, id=savepoint_id, execution_id=execution_id, created_at=created_at)
            transaction.insert_savepoint(copied)
            transaction.put_cells(execution_id, cells)
    used = (size_of(house) - before) / count
    held = await memory_of_a_worker(house) - empty

    async def wake_up() -> Figures:
        done: list[ExecutionView] = []
        while len(done) < woken:
            await asyncio.sleep(0.1)
            page = house.engine.executions(flow="sleeper", status=Status.ENDED_SUCCESS, limit=1000)
            done = list(page.executions)
        last = max(view.ended_at for view in done if view.ended_at is not None)
        return {"wakeups_per_s": woken / (last - alarm).total_seconds()}

    return {
        "sleeper_store_bytes": used,
        "sleeper_memory_bytes": max(held, 0) / count,
        **await with_worker(house, wake_up, slots=4),
    }


async def memory_of_a_worker(house: House) -> int:
    """Bytes that Python holds in a process with a worker that has looked at what is due."""

    async def held() -> Figures:
        gc.collect()
        return {"bytes": tracemalloc.get_traced_memory()[0]}

    tracemalloc.start()
    try:
        return int((await with_worker(house, held))["bytes"])
    finally:
        tracemalloc.stop()


def size_of(house: House) -> int:
    """Bytes of the database once its log is written back."""
    import sqlite3

    with sqlite3.connect(house.file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return house.file.stat().st_size


async def growth(houses: tuple[House, House], rows: tuple[int, int]) -> Figures:
    """How much longer calls and executions take with many rows of history than with few, in turns."""
    took: tuple[list[float], list[float]] = ([], [])
    one_call: tuple[list[float], list[float]] = ([], [])
    for house, count in zip(houses, rows, strict=True):

        async def begin(house: House = house) -> Figures:
            await house.run("calls", n=10)
            return {}

        await with_worker(house, begin)
        (pattern,) = house.engine.executions(flow="calls").executions
        fill(house, pattern.id, count)
    for _ in range(5):
        for house, calls, executions in zip(houses, one_call, took, strict=True):

            async def work(house: House = house) -> Figures:
                before = processor()
                view = await house.run("calls", n=300)
                used = (view.output_value or {})["cpu"] + processor() - before
                began = time.perf_counter()
                for _ in range(10):
                    await house.run("trivial")
                return {"call": used, "execution": time.perf_counter() - began}

            figures = await with_worker(house, work)
            calls.append(figures["call"])
            executions.append(figures["execution"])
    return {
        "growth": median(one_call[1]) / median(one_call[0]),
        "growth_of_executions": median(took[1]) / median(took[0]),
    }


def fill(house: House, execution_id: str, rows: int) -> None:
    """Copy an execution with its savepoints until there are so many savepoints."""
    with house.engine.store.reading() as transaction:
        execution = transaction.execution(execution_id)
        assert execution is not None
        assert execution.savepoint_id is not None
        savepoints = list(transaction.branch(execution.savepoint_id))
        whole = [found for one in savepoints if (found := transaction.savepoint(one.id)) is not None]
    done = 0
    while done < rows:
        with house.engine.store.writing() as transaction:
            for _ in range(500):
                copied_id = new_id()
                transaction.insert_execution(replace(execution, id=copied_id))
                for one in whole:
                    transaction.insert_savepoint(replace(one, id=new_id(), execution_id=copied_id))
                done += len(whole)
                if done >= rows:
                    break


# --- competitors --------------------------------------------------------------------------------


def competitors() -> Path | None:
    """The interpreter of an environment that has them; None when they cannot be installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "jupyter-flows-benchmarks"
    python = cache / "engine" / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(cache / "engine")], check=True)
        install = [
            str(python),
            "-m",
            "pip",
            "install",
            "-q",
            "dbos",
            "papermill",
            "ipykernel",
            "psycopg[binary]",
        ]
        subprocess.run(install, check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError):
        return None
    return python


def dbos(python: Path, directory: Path, counts: dict[str, int], url: str | None) -> Figures:
    script = Path(__file__).with_name("competitors") / "dbos_engine.py"
    done = subprocess.run(
        [str(python), str(script), url or f"sqlite:///{directory}/dbos.db", json.dumps(counts)],
        capture_output=True,
        text=True,
    )
    line = next((one for one in done.stdout.splitlines() if one.startswith("FIGURES")), None)
    if line is None:
        raise RuntimeError(f"DBOS did not finish: {done.stderr[-2000:]}")
    figures: Figures = json.loads(line.removeprefix("FIGURES"))
    return figures


def papermill(python: Path, directory: Path) -> Figures:
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "source": "x = 1",
        "outputs": [],
        "execution_count": None,
    }
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": kernel, "cells": [cell]}
    source = directory / "trivial.ipynb"
    source.write_text(json.dumps(notebook))
    began = time.perf_counter()
    subprocess.run(
        [str(python), "-m", "papermill", "--no-progress-bar", str(source), str(directory / "out.ipynb")],
        check=True,
        capture_output=True,
    )
    return {"executions_per_s": 1 / (time.perf_counter() - began)}


# --- the run ------------------------------------------------------------------------------------


def fresh() -> Path:
    return Path(tempfile.mkdtemp(prefix="flows-benchmark-"))


def measured(rounds: int, counts: dict[str, int], only: list[str]) -> dict[str, dict[str, list[float]]]:
    python = competitors()
    found: dict[str, dict[str, list[float]]] = {"jupyter_flows": {}, "DBOS": {}, "papermill": {}}

    def keep(who: str, figures: Figures, prefix: str = "") -> None:
        for name, value in figures.items():
            found[who].setdefault(prefix + name, []).append(value)

    def ours(work: Callable[[House], Awaitable[Figures]], url: str | None = None, prefix: str = "") -> None:
        directory = fresh()
        house = House(directory, url)
        keep("jupyter_flows", asyncio.run(work(house)), prefix)  # type: ignore[arg-type]
        house.close()
        shutil.rmtree(directory)

    def theirs(url: str | None = None, prefix: str = "") -> None:
        if python is not None:
            directory = fresh()
            keep("DBOS", dbos(python, directory, counts, url), prefix)
            if url is None:
                keep("papermill", papermill(python, directory))
            shutil.rmtree(directory)

    def recovered(name: str, history: int, pending: int = 0) -> None:
        async def work(house: House) -> Figures:
            return {name: await recovery(house, history, pending)}

        ours(work)

    with contextlib.ExitStack() as stack:
        database = None
        if "postgresql" in only:
            try:
                database = stack.enter_context(postgresql.server())
            except LookupError as error:
                print(error)
        for number in range(rounds):
            if "speed" in only:
                ours(lambda house: speed(house, counts))
                theirs()
            if database is not None:
                ours(lambda house: speed(house, counts), database.url(f"ours{number}"), "postgresql_")
                theirs(database.url(f"theirs{number}"), "postgresql_")
            if "recovery" in only:
                recovered("recovery_s", 10)
                recovered("recovery_after_long_history_s", counts["history"])
                recovered("recovery_with_others_pending_s", 10, counts["pending"])
    if "sleepers" in only:
        ours(lambda house: sleepers(house, counts["sleepers"], counts["woken"]))
    if "growth" in only:
        houses = (House(fresh()), House(fresh()))
        keep("jupyter_flows", asyncio.run(growth(houses, (counts["few_rows"], counts["rows"]))))
        for house in houses:
            house.close()
            shutil.rmtree(house.directory)
    return found


def report(found: dict[str, dict[str, list[float]]]) -> dict[str, float]:
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    print(f"{'median':34}" + "".join(f"{who:>14}" for who in found))
    medians = {
        who: {name: median(values) for name, values in figures.items()} for who, figures in found.items()
    }
    for name in names:
        shown = (f"{medians[who][name]:>14,.2f}" if name in medians[who] else f"{'-':>14}" for who in found)
        print(f"{name:34}" + "".join(shown))
    if not found["DBOS"]:
        print("DBOS and papermill could not be installed, and are left out")
    result = dict(medians["jupyter_flows"])
    for name, figure in (("executions_vs_dbos", "executions_per_s"), ("calls_vs_dbos", "calls_per_s")):
        for prefix in ("", "postgresql_"):
            if prefix + figure in medians["DBOS"]:
                ratio = medians["jupyter_flows"][prefix + figure] / medians["DBOS"][prefix + figure]
                result[prefix + name] = ratio
                print(f"{prefix + name:34}{ratio:>14,.2f}")
    return result


async def work_until_killed(url: str, root: str) -> None:
    worker = Worker(Engine(open_store(url), FlowLibrary(root)))
    await worker.start()
    print("ready", flush=True)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engine")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a few seconds per figure")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="some of the parts")
    parser.add_argument("--worker", nargs=2, metavar=("URL", "ROOT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(work_until_killed(*options.worker))
        return
    counts = {
        **{"one_by_one": 50, "children": 200, "calls": 2000, "at_once": 50, "starts": 50},
        **{"history": 100_000, "pending": 1000, "sleepers": 10_000, "woken": 500},
        **{"few_rows": 1000, "rows": 1_000_000},
    }
    if options.quick:
        counts = {
            **{"one_by_one": 10, "children": 20, "calls": 400, "at_once": 8, "starts": 10},
            **{"history": 2000, "pending": 50, "sleepers": 1000, "woken": 50, "few_rows": 100, "rows": 5000},
        }
    result = report(measured(1 if options.quick else options.rounds, counts, options.only or PARTS))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
