"""NumPy and pandas: views stay views, frames stay apart, and one changed column costs one column."""

from __future__ import annotations

import pytest

from .conftest import Session

numpy = pytest.importorskip("numpy")


def test_a_view_shares_the_memory_of_its_base(session: Session) -> None:
    after = session.after("""
        import numpy as np
        base = np.arange(100_000.0)
        part, every_other, flipped = base[10:20], base[::2], base[::-1]
        small = np.arange(6); turned = small.reshape(2, 3).T
        column = np.asfortranarray(np.ones((100, 50)))[:, 3]
        columns = np.asfortranarray(np.ones((100, 50))); one_row = columns[4]
        bytes_of = base.view('u1')
        names = np.array(['a', None, [1]], dtype=object); two_names = names[1:]
        fixed = np.arange(3); fixed.flags.writeable = False
    """)
    after["base"][10] = -1
    assert after["part"][0] == -1
    assert after["every_other"][5] == -1
    assert after["flipped"][-11] == -1
    after["turned"][2, 0] = 77
    assert after["small"][2] == 77
    after["columns"][4, 7] = 5
    assert after["one_row"][7] == 5
    assert numpy.shares_memory(after["bytes_of"], after["base"])
    after["names"][1] = "now"
    assert after["two_names"][0] == "now"
    assert not after["fixed"].flags.writeable
    assert after["base"].flags.owndata
    assert after["column"].sum() == 100


def test_a_view_stays_one_through_several_savepoints(session: Session) -> None:
    session.run("import numpy as np; base = np.zeros(100_000); part = base[5:10]")
    for _ in range(3):
        session.save()
        session = session.load()
    assert session.save().bytes_new == 0
    session["base"][5] = 3
    assert session["part"][0] == 3


def test_kinds_of_arrays(session: Session) -> None:
    session.run("""
        import numpy as np
        kinds = [
            np.arange(20_000).astype('M8[s]'), np.zeros((0, 3)), np.array(5), np.array(['ä', 'b']),
            np.zeros(4, dtype=[('x', 'i4'), ('y', 'f8')]), np.float32(1.5), np.array([1 + 2j]),
            np.asfortranarray(np.arange(30_000.0).reshape(100, 300)), np.array([True]),
            np.arange(5, dtype='>i4'),
            np.ma.masked_array([1, 2], [True, False]), np.arange(3).astype('m8[ns]'),
            np.broadcast_to(np.arange(3), (4, 3)), np.zeros(9_000, 'V4'),
        ]
    """)
    session.save()
    for before, after in zip(session["kinds"], session.load()["kinds"], strict=True):
        assert type(after) is type(before)
        assert after.dtype == before.dtype
        assert after.shape == before.shape
        assert numpy.array_equal(after, before)
        if isinstance(before, numpy.ndarray) and before.size:
            assert after.flags.f_contiguous == before.flags.f_contiguous


def test_a_changed_part_of_an_array_costs_that_part(session: Session) -> None:
    session.run("import numpy as np; big = np.random.default_rng(1).random(2_000_000)")
    assert session.save().bytes_new > 15_000_000
    session.run("big[1_000_000] = 5")
    assert 0 < session.save().bytes_new < 1_100_000


def test_frames(session: Session) -> None:
    pandas = pytest.importorskip("pandas")
    session.run("""
        import numpy as np, pandas as pd
        rng = np.random.default_rng(1)
        frame = pd.DataFrame({f'c{n}': rng.random(50_000) for n in range(8)}, index=range(5, 50_005))
        part = frame[['c1', 'c2']]
        mixed = pd.DataFrame({'t': pd.date_range('2026', periods=4, tz='UTC'), 's': ['a', None, 'c', 'd'],
                              'k': pd.Categorical(list('xyxy'))})
        mixed['i'] = pd.array([1, None, 3, 4], dtype='Int64')
        series = mixed['s']
        indexed = mixed.set_index(['k', 'i'])
    """)
    session.save()
    after = session.load()
    for name in ("frame", "part", "mixed", "indexed"):
        pandas.testing.assert_frame_equal(after[name], session[name])
    after["frame"].loc[5, "c1"] = -1.0
    assert after["part"].loc[5, "c1"] != -1.0
    session.run("frame['c3'] = frame['c3'] + 1")
    assert 0 < session.save().bytes_new < 500_000
    views = {view.name: view for view in session.save().variables()}
    assert views["frame"].type == "pandas.DataFrame"
    assert views["frame"].shape == (50_000, 8)
    assert views["mixed"].extra["table"][0] == ["t", "s", "k", "i"]


def test_random_generators_go_on(session: Session) -> None:
    session.run("""
        import numpy as np, random
        generator = np.random.default_rng(4); generator.random(3)
        old = np.random.RandomState(4)
        plain = random.Random(4)
    """)
    session.save()
    after = session.load()
    for draw in ("generator.random()", "old.rand()", "plain.random()"):
        assert eval(draw, after.namespace) == eval(draw, session.namespace)
