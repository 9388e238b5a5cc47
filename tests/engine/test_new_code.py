"""A flow was edited; its savepoints go on in the new code, or say why they cannot."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from jupyter_flows.errors import EngineException, InvalidFlowError, InvalidInputError
from jupyter_flows.model import ExecutionView, SavepointView, Status

from .house import House

BROKEN = """\
import json

def convert(row):
    return int(row['amont'])

def handler(system, this, inputs):
    this.log('fetching')
    rows = [{'amount': '1'}, {'amount': '2'}]
    this.create_savepoint('with-rows')
    total = sum(convert(row) for row in rows)
    this.set_output('total', total)
"""

Story = Callable[[House], Awaitable[None]]


def told(house: House, story: Story) -> None:
    async def main() -> None:
        async with house.worker(kernel_command=None):
            await story(house)

    asyncio.run(main())


def write(house: House, *cells: str, ids: str = "abcdefgh") -> None:
    """The flow `sums` as a notebook; the ids of its cells are single letters."""
    content = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"flow": True},
        "cells": [
            {"cell_type": "code", "id": name, "metadata": {}, "source": text, "outputs": []}
            for name, text in zip(ids, cells, strict=False)
        ],
    }
    (house.root / "sums.ipynb").write_text(json.dumps(content))


def named(house: House, view: ExecutionView, name: str) -> SavepointView:
    return [one for one in house.engine.savepoints(view.id) if one.name == name][-1]


def test_a_failed_flow_is_mended_and_goes_on_without_its_first_steps(house: House) -> None:
    write(house, BROKEN)

    async def story(house: House) -> None:
        failed = await house.until(house.engine.start("sums").id)
        assert failed.status is Status.ENDED_ERROR
        assert "amont" in (failed.message or "")
        write(house, BROKEN.replace("amont", "amount").replace("'fetching'", "'fetching rows'"))
        back = house.engine.restore(named(house, failed, "with-rows").id, code="current")
        assert back.flow_version != failed.flow_version
        mended = await house.until(failed.id)
        assert mended.status is Status.ENDED_SUCCESS, mended.error
        assert mended.output_value == {"total": 3}
        assert house.texts(failed.id) == ["fetching"]
        newest = house.engine.savepoints(failed.id)[-1]
        house.engine.restore(newest.id)  # made under the new code, so it stays there
        again = await house.until(failed.id)
        assert again.status is Status.ENDED_SUCCESS
        assert again.flow_version == mended.flow_version

    told(house, story)


def test_a_plain_restore_goes_back_to_the_code_of_the_savepoint(house: House) -> None:
    cells = ["this.create_savepoint('start')", "this.set_output('code', 1)"]
    write(house, *cells)

    async def story(house: House) -> None:
        view = await house.until(house.engine.start("sums").id)
        start = named(house, view, "start")
        write(house, cells[0], "this.set_output('code', 2)")
        house.engine.restore(start.id, code="current")
        after = await house.until(view.id)
        assert after.output_value == {"code": 2}, after.error
        house.engine.restore(start.id)
        back = await house.until(view.id)
        assert (back.output_value, back.flow_version) == ({"code": 1}, view.flow_version)

    told(house, story)


def test_cells_that_come_and_go_around_the_one_that_waits(house: House) -> None:
    first = "x = 1\nprint('first', x)"
    waiting = "for n in range(3):\n    this.create_savepoint(f'at {n}')\n    x += n\nprint(x)"
    write(house, first, waiting, "this.set_output('x', x)", ids="abc")

    async def story(house: House) -> None:
        view = await house.until(house.engine.start("sums").id)
        write(
            house,
            "def double(n):\n    return 2 * n",
            first + "\nprint('not again')",
            waiting.replace("x += n", "x += double(n)"),
            "x = -x",
            "this.set_output('x', x)",
            ids="pabqc",
        )
        house.engine.restore(named(house, view, "at 1").id, code="current")
        after = await house.until(view.id)
        assert after.status is Status.ENDED_SUCCESS, after.error
        assert after.output_value == {"x": -7}
        shown = [
            "".join(output.get("text", "") for output in cell["outputs"])
            for cell in house.engine.notebook(view.id)["cells"]
        ]
        assert shown == ["", "first 1\n", "7\n", "", ""]

    told(house, story)


def test_code_that_does_not_fit_is_refused_and_nothing_is_lost(house: House) -> None:
    write(house, BROKEN)

    async def story(house: House) -> None:
        failed = await house.until(house.engine.start("sums").id)
        savepoint = named(house, failed, "with-rows")
        write(house, BROKEN.replace("create_savepoint('with-rows')", "create_savepoint('rows')"))
        house.engine.restore(savepoint.id, code="current")
        refused = await house.until(failed.id)
        assert refused.status is Status.ENDED_ERROR
        assert refused.error is not None
        assert refused.error.type == "SavepointError"
        assert "handler" in refused.error.message
        assert "this.create_savepoint('with-rows')" in refused.error.message
        assert "this.create_savepoint('rows')" in refused.error.message
        write(house, BROKEN.replace("amont", "amount"))
        house.engine.restore(savepoint.id, code="current")
        mended = await house.until(failed.id)
        assert mended.output_value == {"total": 3}, mended.error

    told(house, story)


def test_variables_get_other_values_in_a_restore_and_in_a_fork(house: House) -> None:
    write(
        house,
        "RATE = 2\ndef handler(system, this):\n    n = 10\n    this.create_savepoint('here')\n"
        "    this.create_savepoint('there')\n    this.set_output('result', n * RATE)\n",
    )

    async def story(house: House) -> None:
        engine = house.engine
        view = await house.until(engine.start("sums").id)
        here = named(house, view, "here")
        engine.restore(here.id, changes={"n": 7, "RATE": 3})
        assert (await house.until(view.id)).output_value == {"result": 21}
        engine.restore(named(house, view, "there").id)  # its state holds what was changed
        assert (await house.until(view.id)).output_value == {"result": 21}
        fork = engine.fork(here.id, changes={"n": 1})
        assert (await house.until(fork.id)).output_value == {"result": 2}
        assert engine.execution(view.id).output_value == {"result": 21}
        with pytest.raises(InvalidInputError, match="no variable m"):
            engine.restore(here.id, changes={"m": 1})
        with pytest.raises(InvalidInputError, match="not the name"):
            engine.restore(here.id, changes={"a.b": 1})

    told(house, story)


def test_a_variable_that_the_new_code_needs_is_given(house: House) -> None:
    old = "def handler(system, this):\n    this.create_savepoint('here')\n    this.set_output('result', 1)\n"
    write(house, old)

    async def story(house: House) -> None:
        view = await house.until(house.engine.start("sums").id)
        new = old.replace("    this.create", "    rate = 5\n    this.create").replace(", 1)", ", rate)")
        write(house, new)
        fork = house.engine.fork(named(house, view, "here").id, code="current", changes={"rate": 6})
        ended = await house.until(fork.id)
        assert ended.output_value == {"result": 6}, ended.error
        without = house.engine.fork(named(house, view, "here").id, code="current")
        assert "rate" in ((await house.until(without.id)).message or "")

    told(house, story)


def test_its_kernel_dies_right_after_a_restore_under_new_code(house: House) -> None:
    old = """
import os
def handler(system, this):
    this.create_savepoint('here')
    this.set_output('code', 1)
"""
    new = old.replace(
        "    this.set_output('code', 1)",
        "    if not os.path.exists('died'):\n        open('died', 'w').close()\n        os._exit(9)\n"
        "    this.set_output('code', n)",
    ).replace("(system, this)", "(system, this, n=None)")
    (house.root / "sums.py").write_text(old)

    async def story(house: House) -> None:
        view = await house.until(house.engine.start("sums").id)
        (house.root / "sums.py").write_text(new)
        house.engine.restore(named(house, view, "here").id, code="current", changes={"n": 4})
        ended = await house.until(view.id)
        assert ended.output_value == {"code": 4}, ended.error
        assert (house.root / "died").exists()

    told(house, story)


def test_what_has_no_current_code(house: House) -> None:
    write(house, BROKEN)

    async def story(house: House) -> None:
        failed = await house.until(house.engine.start("sums").id)
        savepoint = named(house, failed, "with-rows")
        with pytest.raises(InvalidInputError, match="'saved' or 'current'"):
            house.engine.restore(savepoint.id, code="new")
        (house.root / "sums.ipynb").write_text("{")
        with pytest.raises(InvalidFlowError):
            house.engine.restore(savepoint.id, code="current")
        (house.root / "sums.ipynb").unlink()
        with pytest.raises(EngineException, match="sums"):
            house.engine.restore(savepoint.id, code="current")
        assert house.engine.execution(failed.id) == failed

    told(house, story)
