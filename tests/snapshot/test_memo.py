"""The pickler's memo, read in place, says what a copy of it says."""

from __future__ import annotations

import io
import pickle
import random
from typing import Any

import pytest

from jupyter_flows.snapshot.memo import Memo


@pytest.mark.parametrize("kind", [pickle.Pickler, pickle._Pickler])
@pytest.mark.parametrize("count", [0, 1, 7, 300, 5000])
def test_it_holds_exactly_what_was_pickled(kind: Any, count: int) -> None:
    pickler = kind(io.BytesIO(), 5)
    chance = random.Random(count)
    subject = [{"a": [number], "b": (chance.random(), str(number))} for number in range(count)]
    pickler.dump(subject)
    copied = pickler.memo if isinstance(pickler.memo, dict) else pickler.memo.copy()
    memo = Memo(pickler, outside=(id(subject),), by_value={id(Memo): Memo})
    expected = (copied.keys() - {id(subject)}) | {id(Memo)}
    assert memo.ids() == expected
    assert all(identity in memo for identity in expected)
    assert id(subject) not in memo
    assert id(pickler) not in memo
    assert all(id(memo.subject(identity)) == identity for identity in expected)
    few = [id(pickler), id(Memo), id(subject)]
    assert memo.shared_with(few) == [id(Memo)]
    assert set(memo.shared_with(expected)) == expected
