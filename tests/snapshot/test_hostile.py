"""Objects that break what they are asked: each costs itself at most, whatever it does.

By name: the cell, the paths that are then missing, and what holds of the rest after it was loaded. Every cell
also makes `good`, a list that `also` is, which must come back.
"""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_flows import snapshot

from .conftest import Session

CASES: dict[str, tuple[str, set[str], str]] = {
    "reduce exits": (
        """
        class A:
            def __reduce__(self): raise SystemExit(3)
        x = [A(), 1]
        """,
        {"x[0]"},
        "x[1] == 1",
    ),
    "reduce ends a generator": (
        """
        class A:
            def __reduce__(self): raise GeneratorExit
        x = A()
        """,
        {"x"},
        "True",
    ),
    "reduce raises what is no Exception": (
        """
        class Stop(BaseException): pass
        class A:
            def __reduce__(self): raise Stop('now')
        x, y = A(), {'k': A(), 'l': 2}
        """,
        {"x", "y['k']"},
        "y['l'] == 2",
    ),
    "every attribute exits": (
        """
        class A:
            def __getattribute__(self, name): raise SystemExit
        x = {'a': A(), 'b': [1]}
        """,
        {"x['a']"},
        "x['b'] == [1]",
    ),
    "an error that cannot be told": (
        """
        class Failure(Exception):
            def __str__(self): raise RuntimeError
        class A:
            def __reduce__(self): raise Failure
        x = [A(), 5]
        """,
        {"x[0]"},
        "x[1] == 5",
    ),
    "loading exits": (
        """
        class A:
            def __init__(self): self.a = 1
            def __setstate__(self, state): raise SystemExit
        x = [A(), 5]
        """,
        {"x[0]"},
        "x[1] == 5",
    ),
    "made from itself": (
        """
        class A:
            def __reduce__(self): return (lambda other: other), (self,)
        x = [A(), 5]
        """,
        {"x[0]"},
        "x[1] == 5",
    ),
    "a class without a hash": (
        """
        class Meta(type):
            def __eq__(self, other): return self is other
        class A(metaclass=Meta): pass
        x, y = A(), [A()]
        """,
        {"x", "y", "A"},
        "True",
    ),
    "a class whose hash fails": (
        """
        class Meta(type):
            def __hash__(self): raise RuntimeError('no hash')
            def __eq__(self, other): raise RuntimeError('no comparison')
        class A(metaclass=Meta): pass
        x = [1, A()]
        """,
        {"x", "A"},
        "True",
    ),
    "keys that are not UTF-8": (
        r"""
        x = {'\udfff': [1]}
        x['\ud800x'] = x['\udfff']
        y = '\udc80'
        """,
        set(),
        r"x['\udfff'] == [1] and x['\udfff'] is x['\ud800x'] and y == '\udc80'",
    ),
    "attributes that are not UTF-8": (
        r"""
        import socket
        class A: pass
        x = A()
        setattr(x, '\udc80', socket.socket())
        setattr(x, '\udc81', 7)
        """,
        {r"x.\udc80"},
        r"getattr(x, '\udc81') == 7",
    ),
    "a variable that is not UTF-8": (r"globals()['\udfff'] = [1]; x = 1", set(), "x == 1"),
    "a list that never ends": (
        """
        import itertools
        class Ring(list):
            def __iter__(self): return itertools.cycle(list.__iter__(self))
        x = Ring([1, 2])
        """,
        set(),
        "type(x).__name__ == 'Ring' and x[:] == [1, 2] and len(x) == 2",
    ),
    "a dictionary that tells other items": (
        """
        class Upper(dict):
            def items(self): return [(key.upper(), value) for key, value in dict.items(self)]
        x = Upper(a=1)
        """,
        set(),
        "list(x) == ['a'] and x.items() == [('A', 1)]",
    ),
    "a tuple in lists of its own": (
        """
        from typing import NamedTuple
        class Pair(NamedTuple):
            first: list
            second: list
        x = Pair([], [])
        x.first.append(x)
        x.second.extend([[x] for _ in range(50)])
        """,
        set(),
        "x.first[0] is x and all(one[0] is x for one in x.second)",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_costs_itself_at_most(name: str, session: Session) -> None:
    source, missing, holds = CASES[name]
    session.run(source)
    session.run("good = [1, {'a': (2,)}]; also = good")
    first = session.save()
    for manifest in (first, session.save()):  # the second one knows the first
        assert {one.path for one in manifest.missing} == missing
        after = session.load(manifest)
        assert after["good"] == [1, {"a": (2,)}]
        assert after["also"] is after["good"]
        assert eval(holds, after.namespace)
        shown = {view.name: view for view in manifest.variables()}
        assert shown["good"].missing is None
        for path in missing:
            variable = path.partition("[")[0].partition(".")[0]
            assert shown[variable].missing


def test_a_person_who_interrupts_is_obeyed(session: Session) -> None:
    session.run("""
        class A:
            def __reduce__(self): raise KeyboardInterrupt
        x = [A()]
    """)
    with pytest.raises(KeyboardInterrupt):
        session.save()


def test_a_store_that_fails_is_no_fault_of_the_variables(session: Session) -> None:
    class Full(snapshot.MemoryChunks):
        def write(self, digest: str, data: Any) -> None:  # noqa: ARG002 - the door is a store's
            raise RuntimeError("the store is full")

    session.run("x = [1]")
    session.chunks = Full()
    with pytest.raises(RuntimeError, match="full"):
        session.save()
