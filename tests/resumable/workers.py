"""Processes that run programs, and go on with what others captured: one process each, for many programs.

A worker is an interpreter of its own, of any Python version; bytes are all that gets to it. It forgets one
program before the next: what is left is what `resumable` itself remembers, as in any long-lived process.

    python -m tests.resumable.workers READ WRITE SECONDS     (two file descriptors; started by `Worker`)
"""

from __future__ import annotations

import atexit
import faulthandler
import functools
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
TOO_LONG = 120.0  # seconds; a program that takes longer hangs, and its process is ended

RENEWED = 1000  # questions after which a new process takes over: units are never forgotten


class Worker:
    """Another process: ``ask("plain_run", source)`` calls that function of `harness` in it."""

    def __init__(self, python: str = sys.executable) -> None:
        self._python = python
        self._process: subprocess.Popen[bytes] | None = None
        self._asked = 0

    def _start(self) -> subprocess.Popen[bytes]:
        import cloudpickle

        commands, self._send = os.pipe()
        self._receive, answers = os.pipe()
        # The harness needs cloudpickle, pure Python; the interpreter need have nothing installed.
        path = [str(ROOT), _alone(Path(cloudpickle.__file__).parent)]
        process = subprocess.Popen(
            [self._python, "-B", "-m", "tests.resumable.workers", str(commands), str(answers), str(TOO_LONG)],
            pass_fds=(commands, answers),
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(path), "PYTHONHASHSEED": "0"},
        )
        os.close(commands)
        os.close(answers)
        self._commands = os.fdopen(self._send, "wb")
        self._answers = os.fdopen(self._receive, "rb")
        return process

    def ask(self, function: str, *arguments: Any) -> Any:
        """What the function gives there. Raises AssertionError with its traceback if it fails, or hangs."""
        self._asked += 1
        if self._asked % RENEWED == 0:
            self.close()
        if self._process is None:
            self._process = self._start()
        try:
            pickle.dump((function, arguments), self._commands)
            self._commands.flush()
            good, answer = pickle.load(self._answers)
        except (EOFError, BrokenPipeError):
            self.close()
            raise AssertionError(f"the process died, or took longer than {TOO_LONG} seconds") from None
        assert good, answer
        return answer

    def close(self) -> None:
        if self._process is None:
            return
        process, self._process = self._process, None
        for file in (self._commands, self._answers):
            file.close()
        process.kill()
        process.wait()


@functools.cache
def _alone(package: Path) -> str:
    """A directory that holds this package and no other."""
    place = tempfile.mkdtemp(prefix="package-")
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    (Path(place) / package.name).symlink_to(package)
    return place


_workers: dict[tuple[str, str], Worker] = {}


def worker(role: str, python: str = sys.executable) -> Worker:
    """This process's worker for a role ("first": captures; "second", "third": go on). Ends with it."""
    return _workers.setdefault((role, python), Worker(python))


@functools.cache
def interpreters() -> dict[str, str]:
    """The Pythons of this machine that the project supports, by version: ``{"3.12": path}``."""
    found = {version: _interpreter(version) for version in ("3.11", "3.12", "3.13")}
    return {version: path for version, path in found.items() if path is not None}


def _interpreter(version: str) -> str | None:
    if version == f"{sys.version_info[0]}.{sys.version_info[1]}":
        return sys.executable
    made = ROOT / f".venv-{version}" / "bin" / "python"  # by `make test-pythons`, with the packages
    if made.exists():
        return str(made)
    python = shutil.which(f"python{version}")
    if python is None:
        return None
    chosen = {}
    if shutil.which("pyenv"):  # its command of that name works only for a version that was chosen
        latest = subprocess.run(["pyenv", "latest", version], capture_output=True, text=True, check=False)
        chosen = {"PYENV_VERSION": latest.stdout.strip()}
    ask = "import sys; print(sys.executable)"
    answer = subprocess.run(
        [python, "-c", ask], capture_output=True, text=True, check=False, env=os.environ | chosen
    )
    return answer.stdout.strip() or None


def serve(commands: int, answers: int, too_long: float) -> None:
    from . import harness

    sys.unraisablehook = lambda _: None  # generators of programs that are let go may end in errors
    with os.fdopen(commands, "rb") as reading, os.fdopen(answers, "wb") as writing:
        while True:
            try:
                function, arguments = pickle.load(reading)
            except EOFError:
                return
            faulthandler.dump_traceback_later(too_long, exit=True)
            try:
                answer: Any = (True, getattr(harness, function)(*arguments))
            except BaseException:
                answer = (False, traceback.format_exc())
            faulthandler.cancel_dump_traceback_later()
            pickle.dump(answer, writing)
            writing.flush()


if __name__ == "__main__":
    serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
