"""Processes that share an SQLite file wake each other without asking the database."""

from __future__ import annotations

from pathlib import Path

from jupyter_flows.store.bells import Bells


def test_a_ring_is_heard_by_others_and_not_by_oneself(tmp_path: Path) -> None:
    one, other = Bells(str(tmp_path / "s")), Bells(str(tmp_path / "s"))
    elsewhere = Bells(str(tmp_path / "another"))
    for bells in (one, other, elsewhere):
        bells.hang()
    one.ring()
    assert other.wait(60)
    assert not one.wait(0)
    assert not elsewhere.wait(0)
    for bells in (one, other, elsewhere):
        bells.take_down()


def test_one_that_died_does_no_harm(tmp_path: Path) -> None:
    dead, living, ringing = (Bells(str(tmp_path / "s")) for _ in range(3))
    for bells in (dead, living, ringing):
        bells.hang()
    assert dead._ear is not None
    dead._ear.close()  # as a process that was killed: its socket's file stays
    ringing.ring()
    assert living.wait(60)
    assert not dead._own.exists()
    living.take_down()
    ringing.take_down()
