"""What a savepoint shows of its variables, and of what changed, without loading them."""

from __future__ import annotations

import pytest

from jupyter_flows import snapshot
from jupyter_flows.model import VariableView
from jupyter_flows.snapshot import previews

from .conftest import Session


def views(session: Session) -> dict[str, VariableView]:
    return {view.name: view for view in session.save().variables()}


def changes(session: Session, source: str) -> dict[str, str]:
    """What `diff` says of the variables that the source changed."""
    before = session.save()
    session.run(source)
    return {
        change.name: change.detail
        for change in snapshot.diff(before, session.save())
        if change.kind == "changed"
    }


def test_frames_of_polars_and_arrow(session: Session) -> None:
    pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    session.run("""
        import polars, pyarrow
        frame = polars.DataFrame({'n': [1, 2, 3], 'name': ['a', 'b', None]})
        series, query = frame['n'], frame.lazy().filter(polars.col('n') > 1)
        table = pyarrow.table({'n': [1, 2], 't': ['x', 'y']})
        array = pyarrow.chunked_array([[1, 2], [3]])
    """)
    found = views(session)
    assert (found["frame"].shape, found["frame"].text) == ((3, 2), "3 rows × 2 columns: n, name")
    assert found["frame"].extra["columns"] == {"n": "Int64", "name": "String"}
    assert found["frame"].extra["table"] == [["n", "name"], ["1", "a"], ["2", "b"], ["3", "None"]]
    assert found["series"].text == "Int64 [1, 2, 3]"
    assert found["query"].text == "a query that was not run"
    assert found["table"].extra["table"] == [["n", "t"], ["1", "x"], ["2", "y"]]
    assert (found["array"].shape, found["array"].text) == ((3,), "int64 [1, 2, 3]")


def test_estimators_figures_and_containers(session: Session) -> None:
    pytest.importorskip("sklearn")
    pytest.importorskip("matplotlib")
    session.run("""
        from sklearn.linear_model import Ridge
        from matplotlib.figure import Figure
        raw, fitted = Ridge(alpha=2.5), Ridge().fit([[0], [1]], [0, 1])
        figure = Figure(figsize=(4, 3), dpi=100)
        axes = figure.subplots(); axes.plot([1]); axes.set_title('sales')
        nested = {'a': [1, {'b': (2, 3)}], 'c': {'d': {'e': 1}}}
    """)
    found = views(session)
    assert found["raw"].text.startswith("Ridge(alpha=2.5, ")
    assert found["raw"].text.endswith("not fitted")
    assert found["fitted"].text.endswith(", fitted")
    assert found["figure"].text == "figure of 400×300, 1 plot: sales"
    assert found["axes"].text == "plot 'sales': 1 lines, 0 patches, 0 collections"
    assert found["nested"].text == "{'a': [1, {…}], 'c': {'d': {…}}}"


def test_nothing_of_the_flow_is_called_for_a_preview(session: Session) -> None:
    pytest.importorskip("pandas")
    session.run("""
        import pandas
        called = []
        class Meta(type):
            @property
            def __module__(cls): called.append('module'); raise RuntimeError
        class Hostile:
            def __repr__(self): called.append('repr'); return 'x' * 10**9
            __str__ = __repr__
            def __len__(self): called.append('len'); return 10**18
            def __iter__(self): called.append('iter'); return iter(int, 1)
            def __bool__(self): called.append('bool'); raise RuntimeError
        class Many(dict):
            def __len__(self): called.append('len'); return 10**18
            def items(self): called.append('items'); raise RuntimeError
        class Odd(metaclass=Meta): pass
        one, odd, many, rows = Hostile(), Odd(), Many(a=1), [Hostile(), {'key': Hostile()}]
        frame = pandas.DataFrame({'h': [Hostile()], 'n': [10**5000]}, dtype=object)
        large = 'x' * 10_000_000, 10**100_000
        called.clear()
    """)
    names = ("one", "odd", "many", "rows", "frame", "large")
    found = {name: previews.view("globals", name, session[name], "", 0) for name in names}
    assert session["called"] == []
    assert found["one"].text == "<Hostile>"
    assert found["rows"].text == "[<Hostile>, {'key': <Hostile>}]"
    assert found["frame"].extra["table"][1] == ["<Hostile>", "<int of 16610 bits>"]
    assert all(len(view.text) <= 160 for view in found.values())


def test_diff_names_columns_and_rows(session: Session) -> None:
    pytest.importorskip("pandas")
    session.run("""
        import numpy, pandas
        frame = pandas.DataFrame({'a': [1, 2], 'b': [1.5, 2.5], 'name': ['x', 'y']})
        large = pandas.DataFrame({name: numpy.arange(400_000.0) for name in 'abc'})
        when = pandas.DataFrame({'at': pandas.to_datetime(['2026-01-01', '2026-01-02']), 'n': [1, 2]})
    """)
    assert changes(session, "frame.loc[0, 'b'] = 9.0") == {"frame": "columns changed: b"}
    assert changes(session, "frame['name'] = ['x', 'z']; frame['more'] = 1") == {
        "frame": "shape 2×3 -> 2×4; columns added: more; columns changed: name"
    }
    assert changes(session, "large['b'] = large['b'] + 1") == {"large": "columns changed: b"}
    assert changes(session, "large.loc[399_999, 'c'] = 0") == {"large": "columns changed: c"}
    assert changes(session, "when.loc[0, 'at'] = pandas.Timestamp('2027-01-01')") == {
        "when": "columns changed: at"
    }
    assert changes(session, "frame = frame[['a', 'name', 'more']]") == {
        "frame": "shape 2×4 -> 2×3; columns removed: b"
    }


def test_diff_names_keys_and_attributes(session: Session) -> None:
    session.run("""
        class Model:
            def __init__(self): self.rate, self.rows = 0.5, [1]
        config, model = {'a': 1, 'inner': {'x': [1]}, 'gone': 0}, Model()
    """)
    assert changes(session, "config['inner']['x'].append(2); config['new'] = 1; del config['gone']") == {
        "config": "{'a': 1, 'inner': {'x': […]}, 'gone': 0} -> {'a': 1, 'inner': {'x': […]}, 'new': 1}; "
        "keys added: new; keys removed: gone; keys changed: inner"
    }
    assert changes(session, "model.rows.append(2)") == {"model": "attributes changed: rows"}
