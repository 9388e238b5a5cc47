"""What pickles but does not load is found when it is saved."""

from __future__ import annotations

import os

import pytest

from jupyter_flows import flow_api
from jupyter_flows.errors import SavepointError
from jupyter_flows.snapshot import rehearsal

from .conftest import Session

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="processes cannot be forked here")


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is found is tested here, on machines that are busy."""
    monkeypatch.setattr(rehearsal, "_SECONDS", (60.0, 60.0))


def missing(session: Session) -> dict[str, str]:
    return {one.path: one.reason for one in session.save().missing}


def test_a_state_that_cannot_be_put_back(session: Session) -> None:
    session.run("""
        class Probe:
            def __init__(self, n): self.n = n
            def __getstate__(self): return {'n': self.n}
            def __setstate__(self, state): raise RuntimeError('no way back')
        rows = [1, Probe(2), {'inside': Probe(3)}]
        same = rows
    """)
    assert missing(session) == {
        "rows[1]": "it could not be loaded: RuntimeError: no way back",
        "rows[2]['inside']": "it could not be loaded: RuntimeError: no way back",
    }
    after = session.load()
    assert after["same"] is after["rows"]
    assert after["rows"][0] == 1
    with pytest.raises(SavepointError, match=r"rows\[1\] was not kept .* no way back"):
        print(after["rows"][1].n)
    # It stays named in every later savepoint, changed or not.
    assert len(missing(session)) == 2
    session.run("rows.append(Probe(4))")
    assert len(missing(session)) == 3


def test_an_attribute_hook_that_needs_the_state(session: Session) -> None:
    session.run("""
        class Proxy:
            def __init__(self, inner): self.inner = inner
            def __getattr__(self, name): return getattr(self.inner, name)
        proxy, number = Proxy([1]), 5
    """)
    assert list(missing(session)) == ["proxy"]
    assert session.load()["number"] == 5


def test_what_would_come_back_as_something_else(session: Session) -> None:
    session.run("""
        class Handle:
            def __reduce__(self): return (str, ('gone',))
        handle = Handle()
    """)
    assert missing(session) == {"handle": "it would be loaded as str"}


def test_a_hash_that_needs_the_state_within_a_cycle(session: Session) -> None:
    """pickle fills the set before the object has the attribute that its hash is made of."""
    session.run("""
        class Node:
            def __init__(self): self.name = 'n'; self.all = {self}
            def __hash__(self): return hash(self.name)
        node, other = Node(), [1]
    """)
    assert len(missing(session)) == 1
    after = session.load()
    assert after["other"] == [1]
    assert len(missing(session)) == 1


def test_a_reducer_of_the_author_that_is_wrong(session: Session) -> None:
    session.run("class Camera: pass\ncamera = Camera()")
    flow_api.reducer(session["Camera"])(lambda _: (int, ("not a number",)))
    try:
        assert list(missing(session)) == ["camera"]
    finally:
        from jupyter_flows.reducer import forget

        forget(session["Camera"])


def test_what_loading_does_reaches_nobody(session: Session, capfd: pytest.CaptureFixture[str]) -> None:
    session.run("""
        made = []
        class Loud:
            def __getnewargs__(self): return (1,)
            def __new__(cls, n=0):
                made.append(n); print('made', n)
                return super().__new__(cls)
        loud = Loud()
    """)
    capfd.readouterr()
    assert missing(session) == {}
    assert session["made"] == [0]
    assert capfd.readouterr().out == ""


def test_a_class_that_passed_is_not_tried_again(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    forks = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: forks.append(1) or fork())
    session.run("""
        class Point:
            def __init__(self, x): self.x = x
            def __reduce__(self): return (Point, (self.x,))
        points = [Point(1)]
    """)
    assert missing(session) == {}
    session.run("points.append(Point(2)); more = Point(3)")
    assert missing(session) == {}
    assert len(forks) == 1


def test_a_load_that_never_ends_holds_nothing_up(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rehearsal, "_SECONDS", (0.2, 0.2))
    session.run("""
        class Endless:
            def __setstate__(self, state):
                while True: pass
            def __getstate__(self): return 1
        endless, number = Endless(), 5
    """)
    assert missing(session) == {}


def test_a_class_deep_in_a_large_heap_is_tried(session: Session) -> None:
    session.run("""
        class Deep:
            def __getstate__(self): return {}
            def __setstate__(self, state): raise RuntimeError('no way back')
        class Fine:
            def __getstate__(self): return {'a': 1}
        rows = [[[n]] for n in range(30_000)]
        rows[29_000][0].append(Deep())
        rows[29_001][0].append(Fine())
        other = [Fine()]
    """)
    found = missing(session)
    assert list(found.values()) == ["it could not be loaded: RuntimeError: no way back"]
    assert next(iter(found)).startswith("Deep 1 (somewhere inside)")
    after = session.load()
    assert after["rows"][28_999] == [[28_999]]
    assert after["rows"][29_001][0][1].a == 1


def test_a_class_of_which_nothing_was_heard_is_tried_again(
    session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[bool] = []
    heard = rehearsal._heard

    def nothing_heard(_: object) -> None:
        tries.append(True)

    monkeypatch.setattr(rehearsal, "_heard", nothing_heard)
    session.run("""
        class Probe:
            def __getstate__(self): return {}
            def __setstate__(self, state): raise RuntimeError('no way back')
        probe = Probe()
    """)
    counts = []
    for number in range(8):
        session.run(f"probe.number = {number}")
        assert not missing(session)
        counts.append(len(tries))
    assert counts[0] == counts[1] == 1
    assert 2 <= counts[-1] <= 3
    monkeypatch.setattr(rehearsal, "_heard", heard)
    for number in range(20):
        session.run(f"probe.number = {number}")
        if missing(session):
            return
    raise AssertionError("it was never tried again")
