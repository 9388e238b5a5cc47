"""A PostgreSQL server of its own for the tests, on a free port of this machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

_PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)


def binaries() -> Path | None:
    """Where initdb and postgres lie; None where PostgreSQL is not installed."""
    on_path = shutil.which("initdb")
    candidates = [*_PLACES, *([Path(on_path).resolve().parent] if on_path else [])]
    return next((place for place in candidates if (place / "postgres").exists()), None)


class Server:
    """`url(name)` makes a fresh database and gives its URL; `kill` and `start` are for tests of faults."""

    def __init__(self, directory: Path, place: Path) -> None:
        self.data = directory / "data"
        self.place = place
        self.port = _free_port()
        self.directory = directory
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = f"-c fsync=on -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.directory}"
        command = [str(self.place / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        with open(self.directory / "server.log", "ab") as journal:
            self.process = subprocess.Popen(
                _as_somebody([*command, *options.split(), "-c", "max_connections=200"]),
                stdout=subprocess.DEVNULL,
                stderr=journal,
                cwd=self.directory,
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                psycopg.connect(self._url("postgres", "postgresql"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError((self.directory / "server.log").read_text()) from None
                time.sleep(0.05)

    def kill(self) -> None:
        """As a crash of the machine's PostgreSQL: no shutdown, recovery at the next start."""
        assert self.process is not None
        pid = int((self.data / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, 9)
        self.process.wait()
        time.sleep(0.2)  # its children notice that it is gone, and leave

    def freeze(self) -> None:
        """As a machine that hangs: nothing is closed, nothing is answered."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal_all(signal.SIGCONT)

    def _signal_all(self, number: signal.Signals) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        pids = [self.process.pid]
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
            pids += [int(child) for child in children.split()]
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def stop(self) -> None:
        self.go_on()
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(2)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def _url(self, name: str, scheme: str) -> str:
        return f"{scheme}://flows@127.0.0.1:{self.port}/{name}"

    def url(self, name: str) -> str:
        with psycopg.connect(self._url("postgres", "postgresql"), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        return self._url(name, "postgresql")


@contextmanager
def server() -> Iterator[Server]:
    """Raises LookupError, with the reason, where PostgreSQL is not installed."""
    place = binaries()
    if place is None:
        raise LookupError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    _give_away(directory)
    made = Server(directory, place)
    try:
        subprocess.run(
            _as_somebody(
                [
                    str(place / "initdb"),
                    "-D",
                    str(made.data),
                    "-U",
                    "flows",
                    "-A",
                    "trust",
                    "-N",
                    "-E",
                    "UTF8",
                ]
            ),
            check=True,
            capture_output=True,
            cwd=directory,
        )
        made.start()
        yield made
    finally:
        made.stop()
        shutil.rmtree(directory, ignore_errors=True)


_NOBODY = 65534


def _as_somebody(command: list[str]) -> list[str]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return command
    return ["setpriv", f"--reuid={_NOBODY}", f"--regid={_NOBODY}", "--clear-groups", *command]


def _give_away(directory: Path) -> None:
    if os.geteuid() == 0:
        os.chown(directory, _NOBODY, _NOBODY)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
