"""How fast the engine runs executions and Flow-API calls, goes on after a crash, and how little sleep costs.

    python -m benchmarks.engine [--json FILE] [--rounds N] [--quick]

Compared with DBOS (steps in the worker's own process, no kernel, no frames in its savepoints) and papermill
(a kernel per notebook, nothing durable), on the same machine, in turns, each on SQLite on the same disk. Ours
runs as users run it: every execution in a kernel of its own, every call with a savepoint of all variables,
on the disk (WAL, ``synchronous=FULL``) before it returns. Competitors get an environment of their own in
the user's cache directory; without network they are left out, and the table says so.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from msgspec.structs import replace

from jupyter_flows.engine.flows import FlowLibrary
from jupyter_flows.engine.identifiers import new_id
from jupyter_flows.engine.service import Engine
from jupyter_flows.engine.worker import Worker
from jupyter_flows.model import ExecutionView, Status, Wait
from jupyter_flows.store import open_store

ROOT = Path(__file__).resolve().parent.parent
FLOWS = {
    "trivial": "def handler(system, this):\n    return this.success()\n",
    "line": "def handler(system, this):\n    this.create_savepoint('first line')\n",
    "calls": (
        "def handler(system, this, inputs):\n"
        "    for n in range(inputs['n']):\n"
        "        this.set_output('n', n)\n"
    ),
    "fan": (
        "def handler(system, this, inputs):\n"
        "    children = [this.flow('trivial', wait=False) for _ in range(inputs['n'])]\n"
        "    this.wait_for(*children)\n"
    ),
    "sleeper": "def handler(system, this):\n    this.sleep(3600)\n",
}
Figures = dict[str, float]


class House:
    """An engine over a fresh store in a directory of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "flows"
        self.root.mkdir()
        for name, source in FLOWS.items():
            (self.root / f"{name}.py").write_text(source)
        self.file = directory / "store.db"
        self.url = f"sqlite:///{self.file}"
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


async def speed(house: House, counts: dict[str, int]) -> Figures:
    """Executions, children and calls per second, and the time to a flow's first line."""

    async def work() -> Figures:
        began = time.perf_counter()
        for _ in range(counts["one_by_one"]):
            await house.run("trivial")
        executions = counts["one_by_one"] / (time.perf_counter() - began)
        fan = seconds(await house.run("fan", n=counts["children"]))
        calls = seconds(await house.run("calls", n=counts["calls"]))
        many = [house.run("calls", n=counts["calls"] // 4) for _ in range(8)]
        began = time.perf_counter()
        await asyncio.gather(*many)
        together = time.perf_counter() - began
        delays = []
        for _ in range(counts["starts"]):
            await asyncio.sleep(0.3)  # as a person starts flows: the next kernel is ready again
            view = await house.run("line")
            first = house.engine.savepoints(view.id)[0]
            delays.append((first.created_at - view.created_at).total_seconds() * 1000)
        return {
            "executions_per_s": executions,
            "children_per_s": counts["children"] / fan,
            "calls_per_s": counts["calls"] / calls,
            "calls_of_8_per_s": 8 * (counts["calls"] // 4) / together,
            "first_line_ms": median(delays),
            "first_line_p99_ms": quantiles(delays, n=100)[98],
        }

    return await with_worker(house, work, slots=8)


async def recovery(house: House, history: int) -> float:
    """Seconds from ``kill -9`` of a worker, after `history` calls, to the next call on another one."""

    def start() -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "benchmarks.engine", "--worker", house.url, str(house.root)]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        process.stdout.readline()
        return process

    first = start()
    view = house.engine.start("calls", {"n": 10 * history})
    await house.until(view.id, lambda view: view.savepoints >= history)
    second = start()
    first.kill()
    first.wait()
    began = time.perf_counter()
    reached = house.engine.execution(view.id).savepoints
    await house.until(view.id, lambda view: view.savepoints > reached)
    took = time.perf_counter() - began
    house.engine.cancel(view.id)
    await house.until(view.id, lambda view: view.status.is_final)
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
    # The others are copies of one that a kernel put to sleep: rows are all that there is of it.
    before = size_of(house)
    with house.engine.store.writing() as transaction:
        pattern = transaction.execution(first.id)
        assert pattern is not None
        assert pattern.savepoint_id is not None
        savepoint = transaction.savepoint(pattern.savepoint_id)
        assert savepoint is not None
        # All ring at once, when the worker is ready for them.
        alarm = house.engine.clock() + timedelta(seconds=20)
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
    used = (size_of(house) - before) / count

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
        "sleeper_memory_bytes": 0.0,
        **await with_worker(house, wake_up, slots=4),
    }


def size_of(house: House) -> int:
    """Bytes of the database once its log is written back."""
    import sqlite3

    with sqlite3.connect(house.file) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return house.file.stat().st_size


async def growth(house: House, small: int, large: int) -> float:
    """How much longer a call takes with `large` savepoints of history than with `small`."""

    async def work() -> Figures:
        took = []
        for rows in (small, large):
            have = house.engine.executions(flow="calls").executions
            missing = rows - sum(view.savepoints for view in have)
            if missing > 0:
                await house.run("calls", n=missing)
            took.append(median([seconds(await house.run("calls", n=200)) for _ in range(3)]))
        return {"growth": took[1] / took[0]}

    return (await with_worker(house, work))["growth"]


# --- competitors --------------------------------------------------------------------------------


def competitors() -> Path | None:
    """The interpreter of an environment that has them; None when they cannot be installed."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "jupyter-flows-benchmarks"
    python = cache / "engine" / "bin" / "python"
    try:
        if not python.exists():
            subprocess.run([sys.executable, "-m", "venv", str(cache / "engine")], check=True)
        install = [str(python), "-m", "pip", "install", "-q", "dbos", "papermill", "ipykernel"]
        subprocess.run(install, check=True, capture_output=True)
    except (subprocess.CalledProcessError, OSError):
        return None
    return python


def dbos(python: Path, directory: Path, counts: dict[str, int]) -> Figures:
    script = Path(__file__).with_name("competitors") / "dbos_engine.py"
    done = subprocess.run(
        [str(python), str(script), str(directory), json.dumps(counts)], capture_output=True, text=True
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


def measured(rounds: int, counts: dict[str, int]) -> dict[str, dict[str, list[float]]]:
    python = competitors()
    found: dict[str, dict[str, list[float]]] = {"jupyter_flows": {}, "DBOS": {}, "papermill": {}}

    def keep(who: str, figures: Figures) -> None:
        for name, value in figures.items():
            found[who].setdefault(name, []).append(value)

    def ours(work: Callable[[House], Awaitable[Figures]]) -> None:
        directory = fresh()
        house = House(directory)
        keep("jupyter_flows", asyncio.run(work(house)))  # type: ignore[arg-type]
        house.close()
        shutil.rmtree(directory)

    async def recovered(house: House) -> Figures:
        return {"recovery_s": await recovery(house, counts["history"])}

    async def grown(house: House) -> Figures:
        return {"growth": await growth(house, counts["calls"], counts["rows"])}

    for _ in range(rounds):
        ours(lambda house: speed(house, counts))
        if python is not None:
            directory = fresh()
            keep("DBOS", dbos(python, directory, counts))
            keep("papermill", papermill(python, directory))
            shutil.rmtree(directory)
        ours(recovered)
    ours(lambda house: sleepers(house, counts["sleepers"], counts["woken"]))
    ours(grown)
    return found


def report(found: dict[str, dict[str, list[float]]]) -> dict[str, float]:
    names = list(dict.fromkeys(name for figures in found.values() for name in figures))
    print(f"{'median':24}" + "".join(f"{who:>16}" for who in found))
    medians = {
        who: {name: median(values) for name, values in figures.items()} for who, figures in found.items()
    }
    for name in names:
        shown = (f"{medians[who][name]:>16,.2f}" if name in medians[who] else f"{'-':>16}" for who in found)
        print(f"{name:24}" + "".join(shown))
    if not found["DBOS"]:
        print("DBOS and papermill could not be installed, and are left out")
    result = dict(medians["jupyter_flows"])
    for name, figure in (("executions_vs_dbos", "executions_per_s"), ("calls_vs_dbos", "calls_per_s")):
        if medians["DBOS"]:
            result[name] = medians["jupyter_flows"][figure] / medians["DBOS"][figure]
            print(f"{name:24}{result[name]:>16,.2f}")
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
    parser.add_argument("--worker", nargs=2, metavar=("URL", "ROOT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        asyncio.run(work_until_killed(*options.worker))
        return
    counts = {
        **{"one_by_one": 50, "children": 200, "calls": 2000, "starts": 50, "history": 500},
        **{"sleepers": 10_000, "woken": 200, "rows": 100_000},
    }
    if options.quick:
        counts = {
            **{"one_by_one": 10, "children": 20, "calls": 400, "starts": 10, "history": 50},
            **{"sleepers": 1000, "woken": 20, "rows": 2000},
        }
    result = report(measured(1 if options.quick else options.rounds, counts))
    if options.json:
        Path(options.json).write_text(json.dumps(result, indent=2))


if __name__ == "__main__":
    main()
