"""A few simulated worlds; `make simulate` runs them for minutes. See `simulation` for what happens there."""

from __future__ import annotations

import pytest

from jupyter_flows.engine.ledger import Ledger

from .simulation import Failure, simulate

STEPS = 300


@pytest.mark.parametrize("seed", range(8))
def test_a_world_full_of_mischief_comes_to_its_end(seed: int) -> None:
    simulate(seed, STEPS, with_people=True)


@pytest.mark.parametrize("seed", range(8))
def test_without_people_every_effect_is_there_once(seed: int) -> None:
    """Crashes, lost transactions, lost words and lost leases alone never make an effect twice."""
    simulate(seed, STEPS, with_people=False)


def test_what_is_broken_is_found_and_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes every word, whatever its epoch, is caught, and by a short schedule."""
    monkeypatch.setattr(Ledger, "held", lambda ledger, execution_id, _: ledger.execution(execution_id))
    with pytest.raises(Failure, match=r"^seed 0, with people, steps \[") as caught:
        simulate(0, 60)
    steps = str(caught.value).partition("[")[2].partition("]")[0].split(",")
    assert len(steps) < 10, "it was not made shorter"
