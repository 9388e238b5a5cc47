"""What cannot be kept is named, and costs nothing else."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from jupyter_flows import snapshot
from jupyter_flows.errors import InvalidInputError, SavepointError

from .conftest import Session

UNPICKLABLE = """
    class Stubborn:
        def __getstate__(self): raise RuntimeError('not now')
"""


def test_the_path_to_an_object_deep_inside(session: Session) -> None:
    session.run(UNPICKLABLE)
    session.run("""
        class Client:
            def __init__(self): self._socket = Stubborn(); self.name = 'client'
        class Model:
            def __init__(self): self.client = Client()
        state = {'model': Model(), 'rows': [1]}
        other = [2]
    """)
    manifest = session.save()
    (missing,) = manifest.missing
    assert missing.path == "state['model'].client._socket"
    assert missing.type == "Stubborn"
    assert "not now" in missing.reason
    after = session.load()
    assert after["other"] == [2]
    assert after["state"]["rows"] == [1]
    assert after["state"]["model"].client.name == "client"
    with pytest.raises(SavepointError, match=r"state\['model'\]\.client\._socket.*not now"):
        after["state"]["model"].client._socket.send(b"")
    (view,) = [view for view in manifest.variables() if view.name == "state"]
    assert view.missing is not None
    assert "not now" in view.missing


USES: list[Callable[[Any], Any]] = [
    lambda it: it.attribute,
    lambda it: setattr(it, "attribute", 1),
    lambda it: it(),
    lambda it: it[0],
    lambda it: operator.setitem(it, 0, 1),
    lambda it: it + 1,
    lambda it: 1 + it,
    lambda it: operator.iadd(it, 1),
    lambda it: -it,
    iter,
    next,
    len,
    bool,
    int,
    str,
    lambda it: f"{it}",
    lambda it: it == 1,
    lambda it: it < 1,
    lambda it: 1 in it,
    lambda it: it.__enter__(),
    copy.copy,
]


@pytest.mark.parametrize("use", USES)
def test_every_use_of_a_placeholder_says_what_is_missing(session: Session, use: Callable[[Any], Any]) -> None:
    session.run(UNPICKLABLE)
    after = session.after("thing = Stubborn()")
    with pytest.raises(SavepointError, match=r"thing was not kept .*not now"):
        use(after["thing"])
    with pytest.raises(SavepointError), after["thing"]:
        pass


def test_a_viewer_may_look_at_a_placeholder(session: Session) -> None:
    session.run(UNPICKLABLE)
    after = session.after("thing = Stubborn()")
    assert "not now" in repr([after["thing"]])
    assert type(after["thing"]) is snapshot.Placeholder
    assert {after["thing"]: 1}


def test_a_placeholder_can_be_kept_again(session: Session) -> None:
    session.run(UNPICKLABLE)
    after = session.after("thing = Stubborn()")
    (missing,) = after.save().missing
    assert (missing.path, missing.type) == ("thing", "Stubborn")
    assert "not now" in repr(after.load()["thing"])


def test_shared_with_a_placeholder_in_it(session: Session) -> None:
    session.run(UNPICKLABLE)
    after = session.after("rows = [Stubborn(), 1]; same = rows; bad = rows[0]")
    assert after["rows"] is after["same"]
    assert after["rows"][0] is after["bad"]


def test_what_pickles_but_does_not_load_costs_only_itself(session: Session) -> None:
    session.run("""
        class Liar:
            def __reduce__(self): return int, ('no number',)
        class BadState:
            def __init__(self): self.x = 1
            def __setstate__(self, state): raise RuntimeError('state refused')
        liar = Liar()
        rows = [1, Liar(), {'bad': BadState()}, 2]
    """)
    assert {one.path for one in session.save().missing} == {"liar", "rows[1]", "rows[2]['bad']"}
    after = session.load()
    assert after["rows"][0] == 1
    assert after["rows"][3] == 2
    with pytest.raises(SavepointError, match=r"liar was not kept.*could not be loaded"):
        after["liar"] + 1
    with pytest.raises(SavepointError, match=r"rows\[2\]\['bad'\].*state refused"):
        _ = after["rows"][2]["bad"].x


def test_an_interrupt_is_no_reason_to_leave_something_out(session: Session) -> None:
    session.run("""
        class Interrupting:
            def __reduce__(self): raise KeyboardInterrupt
        thing = Interrupting()
    """)
    with pytest.raises(KeyboardInterrupt):
        session.save()


def test_a_reduction_that_is_wrong_in_itself(session: Session) -> None:
    session.run("""
        class Wrong:
            def __reduce__(self): return 5
        class Wronger:
            def __reduce__(self): return (1, 2, 3)
        def numbers():
            yield 1
            raise RuntimeError('half-way')
        class Worst(list):
            def __reduce__(self): return (list, (), None, numbers())
        things = [Wrong(), Wronger(), Worst(), 'fine']
        rest = [1]
    """)
    assert len(session.save().missing) == 3
    after = session.load()
    assert after["things"][3] == "fine"
    assert after["rest"] == [1]


def test_inputs_must_be_complete() -> None:
    chunks = snapshot.MemoryChunks()
    with pytest.raises(InvalidInputError, match=r"rows\['lock'\] cannot be handed over"):
        snapshot.encode_value({"lock": (x for x in [1])}, chunks, name="rows")


def test_values_are_json_only_where_that_is_exact() -> None:
    chunks = snapshot.MemoryChunks()
    for value in (None, 1, 1.5, "text", [1, {"a": [True]}], {}):
        encoded = snapshot.encode_value(value, chunks)
        assert encoded.is_json
        assert snapshot.decode_value(encoded, chunks) == value
    for value in ((1, 2), {1: 2}, {1, 2}, b"bytes", 2**80):
        encoded = snapshot.encode_value(value, chunks)
        assert not encoded.is_json
        decoded = snapshot.decode_value(encoded, chunks)
        assert decoded == value
        assert type(decoded) is type(value)
    assert snapshot.encode_value((1, 2), chunks).text == "(1, 2)"
    assert not snapshot.encode_value(float("nan"), chunks).is_json


def test_a_placeholder_survives_pickle_itself() -> None:
    placeholder = snapshot.Placeholder("x", "socket", "a socket cannot be pickled")
    assert repr(pickle.loads(pickle.dumps(placeholder))) == repr(placeholder)


#: Classes whose objects say how they are pickled in a way that pickle refuses, each at another point.
REFUSED = {
    "its state": "def __getstate__(self): raise RuntimeError('not now')",
    "no reduction": "def __reduce__(self): return 7",
    "wrong class": "def __reduce__(self): return copyreg.__newobj__, (int,)",
    "wrong arguments": "def __reduce__(self): return copyreg.__newobj_ex__, (One, 1, 2)",
    "no pairs": "def __reduce__(self): return One, (1,), None, None, iter([1, 2])",
    "no items": "def __reduce__(self): return One, (1,), None, 7",
    "no setter": "def __reduce__(self): return One, (1,), {}, None, None, 7",
    "no such name": "__slots__ = ('n',)\n    def __reduce__(self): return 'nowhere'",
    "made anew": (
        "def __reduce__(self):\n"
        "        names = {'__slots__': ('n',), '__reduce__': lambda _: 'nowhere'}\n"
        "        return list, ([type(f'Inside{self.n}', (), names)()],)"
    ),
    "no memory": "def __reduce__(self): return bytes, (pickle.PickleBuffer(memoryview(bytes(90_000))[::2]),)",
}


@pytest.mark.parametrize("how", REFUSED)
def test_many_refused_objects_in_one_list_cost_only_themselves(session: Session, how: str) -> None:
    """Each is found, in time that grows with their number and not with its square."""
    session.run(f"""
import copyreg, pickle
class One:
    def __init__(self, n): self.n = n
    {REFUSED[how]}
rows = [One(n) for n in range(2000)] + [['good']]
same = rows[-1]
""")
    manifest = session.save()
    assert len(manifest.missing) == 2000
    assert {missing.path for missing in manifest.missing} == {f"rows[{n}]" for n in range(2000)}
    after = session.load()
    assert after["rows"][-1] == ["good"]
    assert after["rows"][-1] is after["same"]
    with pytest.raises(SavepointError, match=r"rows\[1999\] was not kept"):
        after["rows"][1999].send()
    assert isinstance(after["One"], type)
