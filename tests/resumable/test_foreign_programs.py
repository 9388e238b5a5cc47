"""Programs that no one here wrote, a call put into every function, stopped at a sample of the calls."""

from __future__ import annotations

import ast
import contextlib
import functools
import random
from typing import Any

import pytest

from jupyter_flows import resumable

from . import foreign_programs as foreign
from .harness import Outcome, Result, Runner, Stop, go_on, in_child, new_runner, same

pytestmark = pytest.mark.skipif(not foreign.is_installed(), reason="pyperformance is not installed")

DRIVERS = {
    "deltablue": "delta_blue(10)",
    "nqueens": "result = bench_n_queens(5)",
    "float": "result = str(benchmark(30))",
}
STOPS = 6


class _Marked(ast.NodeTransformer):
    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        place = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body.insert(place, ast.parse("point(0)").body[0])
        return node


def marked_source(program: str) -> str:
    tree = _Marked().visit(ast.parse(foreign.source_of(program)))
    tree.body = [
        one for one in tree.body if not (isinstance(one, ast.If) and "__main__" in ast.unparse(one.test))
    ]
    return f"{ast.unparse(tree)}\n{DRIVERS[program]}\n"


def undisturbed(source: str) -> tuple[Any, int]:
    foreign.provide_pyperf()
    runner = new_runner()
    unit = resumable.compile_unit(source, "program.py")
    result = runner.run(lambda: exec(unit.code, runner.namespace))
    return result, len(result.points)


def sampled(source: str, wanted: set[int]) -> list[Stop]:
    """Savepoints of some of the program's calls; it ends with the last of them."""
    foreign.provide_pyperf()
    stops: list[Stop] = []

    def keep(runner: Runner, continuation: Any, value: Any, raises: bool) -> None:
        if len(runner.points) not in wanted:
            return
        data = runner.save(continuation, value, raises) if continuation.exact else None
        printed, points = runner.out.getvalue(), list(runner.points)
        stops.append(Stop(data, continuation.inexact_reason, printed, points, continuation.site))
        if len(stops) == len(wanted):
            raise Outcome

    runner = new_runner(keep)
    unit = resumable.compile_unit(source, "program.py")
    with contextlib.suppress(Outcome):
        runner.run(lambda: exec(unit.code, runner.namespace))
    return stops


def gone_on(data: bytes) -> Result:
    foreign.provide_pyperf()
    return go_on(data)


@pytest.mark.long
@pytest.mark.parametrize("program", DRIVERS)
def test_a_foreign_program_goes_on(program: str) -> None:
    source = marked_source(program)
    whole, count = in_child(functools.partial(undisturbed, source))
    assert whole.error is None
    assert count > 0
    wanted = set(random.Random(program).sample(range(count), min(STOPS, count)))
    stops = in_child(functools.partial(sampled, source, wanted))
    exact = 0
    for stop in stops:
        if stop.data is None:
            assert stop.reason
            continue
        exact += 1
        result = in_child(functools.partial(gone_on, stop.data))
        same(whole, stop.printed, stop.points, result, f"{program} at {stop.site}")
    assert exact > 0, [stop.reason for stop in stops]
