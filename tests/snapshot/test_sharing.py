"""Identity and sharing survive, whatever names the objects have."""

from __future__ import annotations

import pytest

from jupyter_flows import snapshot

from .conftest import Session


def test_two_names_for_one_list_stay_one_list(session: Session) -> None:
    after = session.after("rows = [1]; same = rows; holder = {'rows': rows}; pair = (rows, 2)")
    assert after["rows"] is after["same"] is after["holder"]["rows"] is after["pair"][0]


def test_globals_and_frames_share(session: Session) -> None:
    rows = [1]
    objects = {
        "globals/rows": rows,
        "0 handler/rows": rows,
        "1 step/inner": {"rows": rows},
        "state/x": [rows],
    }
    manifest = snapshot.save(objects, session.chunks, {})
    found = snapshot.load(manifest, session.chunks, {})
    assert list(found) == list(objects)
    assert found["globals/rows"] is found["0 handler/rows"]
    assert found["1 step/inner"]["rows"] is found["state/x"][0] is found["globals/rows"]


def test_what_was_apart_stays_apart(session: Session) -> None:
    after = session.after("a = [1]; b = [1]")
    assert after["a"] == after["b"]
    assert after["a"] is not after["b"]


def test_cycles(session: Session) -> None:
    after = session.after("""
        ring = []; ring.append(ring)
        class Node: pass
        one, two = Node(), Node()
        one.other, two.other = two, one
    """)
    assert after["ring"][0] is after["ring"]
    assert after["one"].other.other is after["one"]
    assert type(after["one"]) is after["Node"]


def test_a_link_made_later_is_found(session: Session) -> None:
    session.run("first = [1]; second = {}")
    session.save()
    after = session.after("second['first'] = first")
    assert after["second"]["first"] is after["first"]


def test_a_link_undone_later_is_forgotten(session: Session) -> None:
    session.run("first = [1]; second = {'first': first}")
    assert len(session.save().body.groups) == 1
    session.run("second['first'] = None")
    assert len(session.save().body.groups) == 2


def test_cells_of_several_closures_stay_shared(session: Session) -> None:
    after = session.after("""
        def counter():
            count = 0
            def add():
                nonlocal count
                count += 1
                return count
            def read():
                return count
            return add, read
        add, read = counter()
        add()
    """)
    assert after["add"]() == 2
    assert after["read"]() == 2


def test_functions_have_the_live_namespace(session: Session) -> None:
    after = session.after("""
        total = 1
        def grow():
            global total
            total += 1
        names = globals()
    """)
    after["grow"]()
    assert after["total"] == 2
    assert after["names"] is after.namespace
    assert after["grow"].__globals__ is after.namespace


def test_bound_methods_keep_their_object(session: Session) -> None:
    after = session.after("""
        class Counter:
            def __init__(self): self.count = 0; self.add_one = self.add
            def add(self): self.count += 1
        counter = Counter()
        add = counter.add
    """)
    after["add"]()
    after["counter"].add_one()
    assert after["counter"].count == 2


def test_iterators_go_on_where_they_were(session: Session) -> None:
    after = session.after("""
        rows = [1, 2, 3]
        iterator = iter(rows); next(iterator)
        numbered = enumerate(rows); next(numbered)
    """)
    after["rows"].append(4)
    assert list(after["iterator"]) == [2, 3, 4]
    assert list(after["numbered"]) == [(1, 2), (2, 3), (3, 4)]


def test_views_of_a_dictionary_stay_views(session: Session) -> None:
    after = session.after("table = {'a': 1}; keys = table.keys(); items = table.items()")
    after["table"]["b"] = 2
    assert list(after["keys"]) == ["a", "b"]
    assert list(after["items"]) == [("a", 1), ("b", 2)]


def test_a_weak_reference_points_to_the_same_object(session: Session) -> None:
    after = session.after("""
        import weakref
        class Thing: pass
        thing = Thing(); reference = weakref.ref(thing)
    """)
    assert after["reference"]() is after["thing"]


def test_the_order_of_the_names_is_kept(session: Session) -> None:
    after = session.after("z = 1; a = []; m = a; b = 2")
    assert [name for name in after.namespace if not name.startswith("__")] == ["z", "a", "m", "b"]


def test_deep_nesting(session: Session) -> None:
    after = session.after("""
        deep = []
        for _ in range(20_000):
            deep = [deep]
    """)
    depth, at = 0, after["deep"]
    while at:
        depth, at = depth + 1, at[0]
    assert depth == 20_000


def test_what_a_library_gives_to_all_its_objects_links_none_of_them(session: Session) -> None:
    pytest.importorskip("matplotlib")
    session.run("""
        import matplotlib
        from matplotlib.figure import Figure
        first, second, limits = Figure(), Figure(), (1.5, 'auto')
        for figure in (first, second):
            figure.subplots().plot([1, 2], [3, 4], marker='o')
            figure.limits = limits
        axes = first.axes[0]
        del figure
    """)
    manifest = session.save()
    groups = {name: group.names for group in manifest.body.groups for name in group.names}
    assert groups["globals/first"] == ("globals/first", "globals/axes")
    assert groups["globals/second"] == ("globals/second",)
    after = session.load()
    assert after["first"].axes[0] is after["axes"]
    assert len(after["second"].axes[0].lines) == 1


def test_an_exception_of_a_group_that_has_the_group_as_its_context(session: Session) -> None:
    after = session.after("""
        try:
            try:
                raise ExceptionGroup('all', [ValueError(1), ExceptionGroup('in', [KeyError(2)])])
            except ExceptionGroup as caught:
                group = caught
                raise caught.exceptions[1].exceptions[0]
        except KeyError as error:
            one = error
            one.add_note('noted')
    """)
    group, one = after["group"], after["one"]
    assert group.exceptions[1].exceptions[0] is one
    assert one.__context__ is group
    assert one.__notes__ == ["noted"]
    assert repr(group.exceptions[0]) == "ValueError(1)"
