"""kill -9 of the worker and of kernels at random instants: everything ends, each effect is there once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_flows.engine import Engine, FlowLibrary
from jupyter_flows.model import ExecutionView
from jupyter_flows.store import open_store

from .outside import Service
from .victims import ROOT, children_of

PARENT = """
def handler(system, this, inputs):
    parts = []
    for region in inputs['regions']:
        parts.append(this.flow('score', region=region, url=inputs['url'], wait=False))
        this.log('started', region)
    total = 0
    for part in parts:
        total += part.wait().get('output_value')['score']
        this.log('got', total)
    this.sleep(0.5)
    try:
        this.flow('score', region=None, url=inputs['url'])
    except flow_api.DependencyFailedError:
        this.log('the last one failed, as it should')
    this.set_output('total', total)
    return this.success(f'total {total}')

import flow_api
"""

SCORE = """
def handler(system, this, inputs):
    score = len(inputs['region'])
    with_key = this.connect(connector_type='REST', url=inputs['url'], method='POST', json={'r': score})
    assert with_key.get('output_value')['status_code'] == 200
    this.sleep(0.3)
    this.log('scored', inputs['region'])
    this.set_output('score', score)
    return this.success()
"""


class DoomedWorker:
    """A worker's process with its kernels; `kill` ends it, or them, without a word."""

    def __init__(self, url: str, root: Path) -> None:
        command = [sys.executable, "-m", "tests.crash.worker_process", url, str(root)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "ready\n"

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self._process.communicate()

    def kill_a_kernel(self, chance: random.Random) -> None:
        kernels = [kernel for zygote in children_of(self._process.pid) for kernel in children_of(zygote)]
        if kernels:
            with contextlib.suppress(ProcessLookupError):
                os.kill(chance.choice(kernels), signal.SIGKILL)


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    yield made
    made.close()


class Ending:
    """Waits until an execution has ended, told by the store's changes."""

    def __init__(self, engine: Engine, execution: ExecutionView) -> None:
        self._engine = engine
        self._id = execution.id
        self._news = threading.Event()
        self._stop = engine.on_change(lambda _: self._news.set())

    def within(self, seconds: float) -> bool:
        """Wait for the next news; True when it has ended."""
        self._news.wait(seconds)
        self._news.clear()
        return self._engine.execution(self._id).status.is_final

    def close(self) -> None:
        self._stop()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1, 2])
def test_killed_again_and_again_it_ends_with_each_effect_once(
    tmp_path: Path, service: Service, seed: int
) -> None:
    chance = random.Random(seed)
    root = tmp_path / "flows"
    root.mkdir()
    (root / "parent.py").write_text(PARENT)
    (root / "score.py").write_text(SCORE)
    url = f"sqlite:///{tmp_path}/store.sqlite"
    store = open_store(url)
    engine = Engine(store, FlowLibrary(root))
    regions = ["n", "ne", "nee"]
    started = engine.start("parent", {"regions": regions, "url": service.url})
    ending = Ending(engine, started)
    kills = 0
    while not engine.execution(started.id).status.is_final:
        worker = DoomedWorker(url, root)
        # Each life lasts a few commits: long enough to get on, short enough to be disturbed.
        for _ in range(chance.randint(4, 14)):
            if ending.within(30):
                break
            if chance.random() < 0.08:
                worker.kill_a_kernel(chance)
        worker.kill()
        kills += 1
    ending.close()

    ended = engine.execution(started.id)
    assert (ended.status, ended.message, ended.output_value) == ("ENDED_SUCCESS", "total 6", {"total": 6})
    assert kills > 2, "nothing was disturbed"
    children = engine.children(ended.id)
    assert [child.input_value["region"] for child in children] == [*regions, None]
    assert [child.status for child in children] == [*["ENDED_SUCCESS"] * 3, "ENDED_ERROR"]
    assert [line.text for line in engine.log(ended.id)] == [
        *[f"started {region}" for region in regions],
        *["got 1", "got 3", "got 6"],
        "the last one failed, as it should",
    ]
    connections = [connection for child in children for connection in engine.children(child.id)]
    assert len(connections) == 3
    assert [[line.text for line in engine.log(child.id)] for child in children] == [
        *[[f"scored {region}"] for region in regions],
        [],
    ]
    # At least once, and always with the key of its connection.
    assert len(service.keys) == 3
    engine.close()
    store.close()
