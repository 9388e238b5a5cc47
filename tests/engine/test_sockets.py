"""Directories of workers that were killed are removed, and no others."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from jupyter_flows.engine import sockets


@pytest.fixture
def root(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path_factory.mktemp("s")
    monkeypatch.chdir(root)  # a path to a socket may have 107 bytes
    monkeypatch.setattr(sockets, "_root", lambda: ".")
    return root


def listening(directory: Path) -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    made.bind(str(directory / "worker.sock"))
    made.listen(1)
    return made


def test_only_what_a_dead_worker_left_is_removed(root: Path) -> None:
    dead, alive, deaf, starting = (sockets.own_directory(None) for _ in range(4))
    listening(dead).close()
    (dead / "kernel.err").write_text("its last words")
    with listening(alive), listening(deaf), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as caller:
        caller.connect(str(deaf / "worker.sock"))  # nobody accepts: its process is stopped
        (root / "flows-by-somebody").write_text("no directory")
        (root / "flows-readable").mkdir(mode=0o755)
        listening(root / "flows-readable").close()
        made = sockets.own_directory(None)
        left = {one.name for one in root.iterdir()}
    kept = {one.name for one in (alive, deaf, starting, made)}
    assert left == {*kept, "flows-by-somebody", "flows-readable"}


def test_a_given_directory_is_made_private(root: Path) -> None:
    given = sockets.own_directory(root / "given" / "place")
    assert given.stat().st_mode & 0o777 == 0o700
