"""Processes that may be killed and stopped at any time: workers with their kernels, Jupyter servers."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]


def children_of(pid: int) -> list[int]:
    """Its direct children that live, by their ids."""
    found = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    return found


class Victim:
    """A process; what it says goes to `journal`. `start` may be called again after `kill`."""

    def __init__(self, name: str, journal: Path) -> None:
        self.name = name
        self.journal = journal
        self.is_stopped = False
        self._process: subprocess.Popen[bytes] | None = None

    def command(self) -> list[str]:
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        return dict(os.environ)

    def start(self) -> None:
        with open(self.journal, "ab") as journal:
            self._process = subprocess.Popen(
                self.command(), cwd=ROOT, env=self.environment(), stdout=journal, stderr=journal
            )
        self.is_stopped = False

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End it and wait for that."""
        if self._process is not None and self.is_alive:
            self.go_on()
            self._process.send_signal(how)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
                raise AssertionError(f"{self.name} did not end after {how.name}") from None

    def stop(self) -> None:
        """As a machine that is frozen."""
        if self.is_alive and not self.is_stopped:
            os.kill(self.pid, signal.SIGSTOP)
            self.is_stopped = True

    def go_on(self) -> None:
        if self.is_stopped and self._process is not None:
            self._process.send_signal(signal.SIGCONT)
            self.is_stopped = False

    def zygotes(self) -> list[int]:
        return children_of(self.pid) if self.is_alive else []

    def kernels(self) -> list[int]:
        """Processes that run flows, or are ready to."""
        return [kernel for zygote in self.zygotes() for kernel in children_of(zygote)]


class WorkerProcess(Victim):
    def __init__(self, name: str, directory: Path, url: str, root: Path, options: str) -> None:
        super().__init__(name, directory / f"{name}.log")
        self._arguments = [url, str(root), options]

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.crash.worker_process", *self._arguments]


class JupyterServer(Victim):
    """`jupyter server` with the extension; `http` speaks with its REST door."""

    def __init__(self, name: str, directory: Path, url: str, root: Path) -> None:
        super().__init__(name, directory / f"{name}.log")
        self._directory = directory / name
        self._url = url
        self._root = root
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self._port}/flows/v1/",
            headers={"Authorization": "token abc"},
            timeout=10,
            trust_env=False,
        )

    def command(self) -> list[str]:
        return [
            *[sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ip=127.0.0.1"],
            *[f"--port={self._port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=abc"],
            *[f"--ServerApp.root_dir={self._root}", "--ServerApp.jpserver_extensions=jupyter_flows=True"],
            *[f"--FlowsApp.store={self._url}", "--FlowsApp.sleep_max_seconds=0.3"],
        ]

    def environment(self) -> dict[str, str]:
        places = {f"JUPYTER_{name}_DIR": str(self._directory / name) for name in ("CONFIG", "RUNTIME")}
        return {**os.environ, **places}

    def until_answering(self, path: str) -> Any:
        """What it answers to GET `path` as soon as it can."""
        tick = threading.Event()
        for _ in range(600):
            try:
                return self.http.get(path).raise_for_status().json()
            except httpx.HTTPError:
                assert self.is_alive, self.journal.read_text()
                tick.wait(0.1)
        raise AssertionError(self.journal.read_text())
