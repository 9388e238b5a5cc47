"""Workers on a real Dask cluster of several processes; one of them is killed, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from distributed import LocalCluster

from jupyter_flows.engine import Engine, FlowLibrary
from jupyter_flows.engine.dask_engine import Placement
from jupyter_flows.store import open_store

ROOT = Path(__file__).resolve().parents[2]

FLOW = """
def handler(system, this, inputs):
    this.log('begun')
    for n in range(inputs['count']):
        this.sleep(0.2)
        this.log(f'step {n}')
    return this.success('done')
"""


@pytest.fixture
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    ) as cluster:
        yield cluster


class Placing:
    """`jupyter flows worker --engine dask` in a process of its own; `until` waits for what it says."""

    def __init__(self, url: str, root: Path, scheduler: str) -> None:
        command = [sys.executable, "-m", "jupyter_flows.cli", "worker", "--engine", "dask", "--slots", "2"]
        options = ["--scheduler", scheduler, "--store", url, "--root", str(root), "--grace", "2"]
        self.process = subprocess.Popen(
            [*command, *options], cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )

    def until(self, text: str, times: int = 1) -> None:
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            times -= text in line
            if times == 0:
                return
        raise AssertionError("".join(said))

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=120)
        return self.process.returncode


def test_a_killed_machine_is_replaced_and_its_executions_go_on(tmp_path: Path, cluster: LocalCluster) -> None:
    root = tmp_path / "flows"
    root.mkdir()
    (root / "steps.py").write_text(FLOW)
    url = f"sqlite:///{tmp_path}/store.db"
    store = open_store(url)
    engine = Engine(store, FlowLibrary(root))
    news = threading.Event()
    engine.on_change(lambda _: news.set())
    placing = Placing(url, root, cluster.scheduler_address)
    try:
        placing.until("is placed on", times=2)
        started = [engine.start("steps", {"count": 6}) for _ in range(6)]
        while sum(engine.execution(one.id).savepoints > 3 for one in started) < 3:
            news.clear()
            assert news.wait(60)
        os.kill(next(iter(cluster.workers.values())).pid, signal.SIGKILL)
        placing.until("is placed on")
        while not all(engine.execution(one.id).status.is_final for one in started):
            news.clear()
            assert news.wait(60), [engine.execution(one.id) for one in started]
        for one in started:
            texts = [line.text for line in engine.log(one.id)]
            assert texts == ["begun", *(f"step {n}" for n in range(6))]
        assert placing.stop() == 0
        with store.reading() as transaction:
            assert transaction.count_busy() == 0
    finally:
        placing.process.kill()
        placing.process.wait()
        engine.close()
        store.close()


def test_mistakes_are_told_in_one_line(tmp_path: Path) -> None:
    def said(*options: str, **environment: str) -> str:
        command = [sys.executable, "-m", "jupyter_flows.cli", "worker", "--root", str(tmp_path), *options]
        command += ["--store", f"sqlite:///{tmp_path}/store.db"]
        ran = subprocess.run(
            command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120
        )
        assert ran.returncode == 2, ran.stderr
        return ran.stderr.strip().splitlines()[-1]

    assert "belong together" in said("--engine", "dask")
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError('no distributed here')")
    hidden = f"{tmp_path}{os.pathsep}{os.environ.get('PYTHONPATH', ROOT)}"
    advice = said("--engine", "dask", "--scheduler", "tcp://127.0.0.1:9", PYTHONPATH=hidden)
    assert "pip install jupyter-flows[dask]" in advice


def test_the_dashboard_shows_no_password() -> None:
    placement = Placement(store="postgresql://u:secret@h/d", root="/flows", slots=2, grace_seconds=1)
    assert "secret" not in repr(placement)
