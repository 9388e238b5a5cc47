"""Kernels that run more than one execution: only of the same flow version, and only when nothing is left."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from jupyter_flows.model import Status

from .house import House

TELL = """
    this.set_output('pid', os.getpid())
    this.set_output('names', sorted(n for n in globals() if n in ('left', 'cell_variable')))
    this.set_output('where', os.getcwd())
    this.set_output('variable', os.environ.get('LEFT'))
"""


def runs(house: House, *flows: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    async def main() -> list[dict[str, Any]]:
        found = []
        # With one ready beside it, that one is taken while the first is not fresh yet.
        async with house.worker(kernel_command=None, warm_kernels=0) as worker:
            assert worker.slots == 2
            for flow, inputs in flows:
                view = await house.until(house.engine.start(flow, inputs).id)
                assert view.status is Status.ENDED_SUCCESS, view.error
                found.append(view.output_value)
        return found

    return asyncio.run(main())


def test_the_next_execution_of_a_flow_finds_nothing_of_the_last(house: House) -> None:
    flow = f"import os\n\ndef handler(system, this, inputs):\n{TELL}    global left\n    left = 1\n"
    flow += "    os.environ['LEFT'] = 'x'\n    os.chdir('/')\n"
    (house.root / "flow.py").write_text(flow)
    first, second = runs(house, ("flow", {}), ("flow", {}))
    assert first == second
    assert second["names"] == []
    assert second["variable"] is None


def test_another_flow_gets_another_kernel(house: House) -> None:
    source = f"import os\n\ndef handler(system, this):\n{TELL}"
    (house.root / "one.py").write_text(source)
    (house.root / "other.py").write_text(source)
    pids = [found["pid"] for found in runs(house, ("one", {}), ("other", {}), ("one", {}))]
    assert pids[0] == pids[2]
    assert pids[0] != pids[1]


@pytest.mark.parametrize(
    "leaves",
    [
        "threading.Thread(target=threading.Event().wait, daemon=True).start()",
        "builtins.print = len",
        "builtins.kept = open(os.devnull)",
        "import helper",
        "get_ipython().events.register('pre_execute', print)",
    ],
)
def test_what_cannot_be_put_back_ends_the_kernel(house: House, leaves: str) -> None:
    (house.root / "helper.py").write_text("")
    source = f"import os, sys, threading, builtins\n\ndef handler(system, this):\n    {leaves}\n{TELL}"
    (house.root / "flow.py").write_text(source)
    first, second = runs(house, ("flow", {}), ("flow", {}))
    assert first["pid"] != second["pid"]
