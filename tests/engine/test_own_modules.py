"""Modules beside a flow: their code is part of the flow, and their variables of its state."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from jupyter_flows.model import Status

from .house import House
from .test_new_code import named, told

FLOW = """\
import helpers
from shop.prices import Price

def handler(system, this):
    price = Price(2)
    helpers.count(this, 'first')
    total = price.times(this, 3)
    helpers.count(this, 'second')
    this.set_output('result', [total, helpers.seen, helpers.prices is Price.all, type(price) is Price])
"""
HELPERS = """\
from shop import prices as all_prices

seen = []
prices = all_prices.Price.all
print('helpers run')

def count(this, what):
    seen.append(what)
    for n in range(2):
        this.create_savepoint(f'{what} {n}')
    seen.append(len(seen))
"""
PRICES = """\
class Price:
    all = []
    def __init__(self, amount):
        self.amount = amount
        self.all.append(self)
    def times(self, this, n):
        return sum([self.one(this) for _ in range(n)])
    def one(self, this):
        this.create_savepoint('in a method')
        return self.amount
"""


@pytest.fixture
def shop(house: House) -> House:
    (house.root / "flow.py").write_text(FLOW)
    (house.root / "helpers.py").write_text(HELPERS)
    (house.root / "shop").mkdir()
    (house.root / "shop" / "__init__.py").write_text("")
    (house.root / "shop" / "prices.py").write_text(PRICES)
    return house


EXPECTED = {"result": [6, ["first", 1, "second", 3], True, True]}


def test_every_call_in_a_helper_is_exact_and_goes_on_elsewhere(shop: House) -> None:
    async def story(house: House) -> None:
        view = await house.until(house.engine.start("flow").id)
        assert view.output_value == EXPECTED, view.error
        savepoints = house.engine.savepoints(view.id)
        assert [one.inexact_reason for one in savepoints] == [None] * len(savepoints)
        assert {one.function for one in savepoints} >= {"count", "Price.one"}
        # The files are gone: what runs is what was saved.
        (house.root / "helpers.py").unlink()
        (house.root / "shop" / "prices.py").write_text("raise SystemError('edited')")
        for name in ("first 0", "first 1", "in a method", "second 1"):
            house.engine.restore(named(house, view, name).id)
            again = await house.until(view.id)
            assert again.output_value == EXPECTED, (name, again.error)
        shown = house.engine.notebook(view.id)["cells"][0]["outputs"]
        assert "".join(one["text"] for one in shown) == "helpers run\n", "the module ran again"

    told(shop, story)


def test_an_edited_helper_counts_in_the_next_execution_and_in_a_restore_with_the_current_code(
    shop: House,
) -> None:
    async def story(house: House) -> None:
        first = await house.until(house.engine.start("flow").id)
        helpers = house.root / "helpers.py"
        helpers.write_text(
            HELPERS.replace("append(len(seen))", "append(label())") + "def label():\n    return 'edited'\n"
        )
        second = await house.until(house.engine.start("flow").id)
        assert second.output_value["result"][1] == ["first", "edited", "second", "edited"], second.error
        assert second.flow_version != first.flow_version
        house.engine.restore(named(house, first, "first 1").id, code="current")
        moved = await house.until(first.id)
        assert moved.output_value["result"] == [6, ["first", "edited", "second", "edited"], True, True], (
            moved.error
        )
        house.engine.restore(named(house, first, "second 0").id)
        assert (await house.until(first.id)).status is Status.ENDED_SUCCESS
        helpers.write_text(HELPERS.replace("range(2)", "range(3)"))
        house.engine.restore(named(house, second, "second 0").id, code="current")
        refused = await house.until(second.id)
        assert refused.error is not None
        assert "range(3)" in refused.error.message
        assert "range(2)" in refused.error.message

    told(shop, story)


PACKAGE = {
    "__init__.py": "from . import rates\nfrom .rules import Rule\n__all__ = ['Rule', 'rates']\n",
    "rates.py": "loads = globals().get('loads', 0) + 1\ndef rate(this, name):\n"
    "    this.create_savepoint(f'rate {name}')\n    return len(name) * loads\n",
    "rules/__init__.py": "from .base import Rule\n",
    "rules/base.py": "from ..rates import rate\nfrom .. import rates\nmade = []\n"
    "class Rule:\n    def __init__(self, name):\n        self.name = name\n        made.append(self)\n"
    "    def apply(self, this):\n        this.create_savepoint('in a rule')\n"
    "        return [rate(this, self.name), rates.rate(this, self.name)]\n",
}
PRICED = """\
import importlib
import pricing.rules.base
from pricing import Rule, rates

def handler(system, this):
    rule = Rule('abc')
    first = rule.apply(this)
    importlib.reload(rates)
    this.create_savepoint('reloaded')
    same = pricing.rules.base.made == [rule] and type(rule) is pricing.Rule and pricing.rates is rates
    this.set_output('result', [first, rule.apply(this), rates.loads, same])
"""


@pytest.fixture
def installed(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    (house.root / "priced.py").write_text(PRICED)
    for name, source in PACKAGE.items():
        path = tmp_path / "site" / "pricing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    monkeypatch.setenv(
        "PYTHONPATH", os.pathsep.join([str(tmp_path / "site"), os.environ.get("PYTHONPATH", "")])
    )
    return house


def test_an_installed_package_that_is_named_is_part_of_the_flow(
    installed: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUPYTER_FLOWS_PACKAGES", "pricing, absent")

    async def story(house: House) -> None:
        view = await house.until(house.engine.start("priced").id)
        expected = {"result": [[3, 3], [6, 6], 2, True]}
        assert view.output_value == expected, view.error
        savepoints = house.engine.savepoints(view.id)
        assert [one.inexact_reason for one in savepoints] == [None] * len(savepoints)
        assert {one.function for one in savepoints} >= {"rate", "Rule.apply"}
        (tmp_path / "site" / "pricing" / "rates.py").write_text("raise SystemError('edited')")
        house.engine.restore(named(house, view, "reloaded").id)
        assert (await house.until(view.id)).output_value == expected
        (tmp_path / "site" / "pricing" / "rates.py").write_text(PACKAGE["rates.py"])  # it is read again
        for name in ("in a rule", "rate abc"):
            house.engine.restore(named(house, view, name).id)
            again = await house.until(view.id)
            assert again.output_value == expected, (name, again.error)

    told(installed, story)


def test_a_package_that_is_not_named_is_a_library(installed: House) -> None:
    async def story(house: House) -> None:
        view = await house.until(house.engine.start("priced").id)
        assert view.output_value == {"result": [[3, 3], [6, 6], 2, True]}, view.error
        reasons = {one.inexact_reason for one in house.engine.savepoints(view.id)}
        assert [one for one in reasons if one and "pricing" in one]

    told(installed, story)


def test_a_named_package_that_cannot_be_found_is_told(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_FLOWS_PACKAGES", "no_such_package")
    (house.root / "asks.py").write_text("import no_such_package\ndef handler(system, this):\n    pass\n")

    async def story(house: House) -> None:
        view = await house.until(house.engine.start("asks").id)
        assert view.error is not None
        assert view.error.type == "ModuleNotFoundError"
        assert "correct JUPYTER_FLOWS_PACKAGES" in view.error.message

    told(house, story)
