"""A server that dies and comes back: its executions go on, each step once."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

# Between its two steps the flow meets the test at two named pipes.
FLOW = """
def handler(system, this, inputs):
    numbers = [1, 2]
    this.log('before')
    numbers.append(3)
    this.create_savepoint('in the middle')
    open('reached', 'w').close()
    open('go').close()
    this.log('after')
    this.set_output('numbers', numbers)
    return this.success('all done')
"""


class Server:
    """`jupyter server` in a process of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.root = directory / "root"
        self.root.mkdir()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.http = httpx.Client(
            base_url=f"http://127.0.0.1:{self.port}/flows/v1/",
            headers={"Authorization": "token abc"},
            timeout=60,
            trust_env=False,
        )

    def start(self) -> None:
        """Returns when its worker runs."""
        places = {f"JUPYTER_{name}_DIR": str(self.directory / name) for name in ("CONFIG", "DATA", "RUNTIME")}
        self.process = subprocess.Popen(
            [
                *[sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", "--ip=127.0.0.1"],
                *[f"--port={self.port}", "--ServerApp.port_retries=0", "--IdentityProvider.token=abc"],
                *[f"--ServerApp.root_dir={self.root}", "--ServerApp.jpserver_extensions=jupyter_flows=True"],
                f"--FlowsApp.store=sqlite:///{self.directory}/flows.sqlite",
            ],
            env={**os.environ, **places, "HOME": str(self.directory)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        said = []
        for line in self.process.stderr:
            said.append(line)
            if "flows below" in line:
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return
        raise AssertionError("".join(said))

    def end(self, how: signal.Signals) -> None:
        self.process.send_signal(how)
        self.process.wait()

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def post(self, path: str, **body: Any) -> Any:
        return self.http.post(path, json=body).raise_for_status().json()

    def until_end(self, execution_id: str) -> dict[str, Any]:
        """By the command line, which waits for the event itself."""
        store = ["--store", f"sqlite:///{self.directory}/flows.sqlite"]
        command = [sys.executable, "-m", "jupyter_flows.cli", "log", execution_id, "--follow", *store]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=240)
        found: dict[str, Any] = self.get(f"executions/{execution_id}")
        return found


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    (server.root / "steps.py").write_text(FLOW)
    os.mkfifo(server.root / "reached")
    os.mkfifo(server.root / "go")
    yield server
    if server.process.poll() is None:
        server.end(signal.SIGKILL)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=["killed", "stopped"])
def test_an_execution_goes_on_after_the_server_came_back(server, how):
    server.start()
    id = server.post("executions", flow="steps")["id"]
    (server.root / "reached").read_bytes()  # waits until the flow opens it
    server.end(how)
    server.start()
    (server.root / "reached").read_bytes()
    # Held open to the end: a kernel of before may not be dead yet and come first; its word must not count.
    with open(server.root / "go", "wb"):
        ended = server.until_end(id)
    assert (ended["status"], ended["output_value"]) == ("ENDED_SUCCESS", {"numbers": [1, 2, 3]}), json.dumps(
        ended
    )
    assert [line["text"] for line in server.get(f"executions/{id}/log")["log"]] == ["before", "after"]
    names = [savepoint["name"] for savepoint in server.get(f"executions/{id}/savepoints")["savepoints"]]
    assert names.count("in the middle") == 1
