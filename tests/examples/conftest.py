from __future__ import annotations

import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .stage import EXAMPLES, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path)
    yield made
    made.close()


class RemoteAPI:
    """The examples' remote API: it has an address, and is down until it is started."""

    def __init__(self) -> None:
        # A bound socket that does not listen keeps the port for us and refuses every caller.
        self._reserved = socket.socket()
        self._reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._reserved.bind(("127.0.0.1", 0))
        self._port = self._reserved.getsockname()[1]
        self.address = f"http://127.0.0.1:{self._port}/worst"
        self._server: subprocess.Popen[str] | None = None

    def start(self) -> None:
        self._reserved.close()
        command = [sys.executable, str(EXAMPLES / "savepoints" / "remote_api.py"), str(self._port)]
        self._server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self._server.stdout is not None
        assert self._server.stdout.readline().startswith("listening")

    def stop(self) -> None:
        self._reserved.close()
        if self._server is not None:
            self._server.kill()
            self._server.communicate()


@pytest.fixture
def remote_api() -> Iterator[RemoteAPI]:
    server = RemoteAPI()
    yield server
    server.stop()


def mend(stage: Stage) -> None:
    """What the notebook asks of its reader."""
    folder = stage.folder / "savepoints"
    shutil.copy(folder / "remote_api.example.json", folder / "remote_api.json")
