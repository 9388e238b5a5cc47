"""DBOS on the work of `benchmarks.engine`; run by its own interpreter: ``URL COUNTS`` (JSON)."""

from __future__ import annotations

import json
import sys
import time

from dbos import DBOS


@DBOS.step()
def note(number: int) -> int:
    return number


@DBOS.workflow()
def trivial() -> None:
    return None


@DBOS.workflow()
def calls(count: int) -> int:
    for number in range(count):
        note(number)
    return count


@DBOS.workflow()
def fan(count: int) -> int:
    children = [DBOS.start_workflow(trivial) for _ in range(count)]
    for child in children:
        child.get_result()
    return count


def rate(count: int, work: object) -> float:
    began = time.perf_counter()
    work()  # type: ignore[operator]
    return count / (time.perf_counter() - began)


def main(url: str, counts: dict[str, int]) -> None:
    DBOS(config={"name": "benchmark", "system_database_url": url})
    DBOS.launch()
    trivial()
    one_by_one, children, steps = counts["one_by_one"], counts["children"], counts["calls"]
    figures = {
        "executions_per_s": rate(one_by_one, lambda: [trivial() for _ in range(one_by_one)]),
        "children_per_s": rate(children, lambda: fan(children)),
        "calls_per_s": rate(steps, lambda: calls(steps)),
    }
    print("FIGURES" + json.dumps(figures), flush=True)
    DBOS.destroy()


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
