"""Lists and searches in a store with many executions: ``python -m benchmarks.search [--executions N]``.

Makes the store (a line of log for each execution), or takes that of ``--url`` if it is filled already, asks
for pages of 50 as the panels do, and prints the median and the slowest of some tries in milliseconds. Texts
are common (all say it), rare (one in 100,000) and absent. Without a URL the store is a new SQLite file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime, timedelta

from jupyter_flows.model import Execution, ExecutionType, LogLevel, Status, Value
from jupyter_flows.store import ExecutionFilter, Store, open_store

START = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = 50
_BATCH = 5000
_FINAL = (Status.ENDED_SUCCESS, Status.ENDED_SUCCESS, Status.ENDED_ERROR, Status.ENDED_CANCELLED)


def fill(store: Store, count: int) -> None:
    for first in range(0, count, _BATCH):
        with store.writing() as transaction:
            for number in range(first, min(first + _BATCH, count)):
                execution = _execution(number)
                transaction.insert_execution(execution)
                line = f"fetched {number * 7919 % 1000} rows of region {number % 50}"
                transaction.append_log(execution.id, execution.created_at, LogLevel.INFO, line, {})
            transaction.prune_changes(100)


def _execution(number: int) -> Execution:
    at = START + timedelta(seconds=number * 10)
    status = _FINAL[number % len(_FINAL)] if number % 1000 else Status.PAUSED
    rare = " with a needle" if number % 100_000 == 77_777 % 100_000 else ""
    return Execution(
        id=f"{number:018}",
        type=ExecutionType.FLOW,
        flow=f"team-{number % 7}/flow-{number % 90}",
        flow_version="v",
        name=f"flow-{number % 90}",
        directory="/flows",
        status=status,
        created_at=at,
        started_at=at,
        ended_at=at if status.is_final else None,
        message=f"all done{rare}",
        inputs={"region": Value(json=number % 50), "customer": Value(json=f"C{number:07}")},
        parent_id=None if number % 3 else f"{number - number % 30:018}",
    )


def questions(count: int) -> dict[str, ExecutionFilter]:
    middle = START + timedelta(seconds=count * 5)
    deep = f"{count // 2:018}"
    return {
        "newest": ExecutionFilter(limit=PAGE),
        "roots": ExecutionFilter(limit=PAGE, roots_only=True),
        "deep page": ExecutionFilter(limit=PAGE, cursor=deep),
        "by flow": ExecutionFilter(limit=PAGE, flow="team-1/flow-1"),
        "by status": ExecutionFilter(limit=PAGE, status=Status.PAUSED),
        "rare flow and status": ExecutionFilter(limit=PAGE, flow="team-1/flow-1", status=Status.PAUSED),
        "children": ExecutionFilter(limit=PAGE, parent_id=f"{count // 2 // 30 * 30:018}"),
        "time range": ExecutionFilter(
            limit=PAGE, created_after=middle, created_before=middle + timedelta(hours=2)
        ),
        "common text": ExecutionFilter(limit=PAGE, text="all done"),
        "common text, deep": ExecutionFilter(limit=PAGE, text="all done", cursor=deep),
        "rare text": ExecutionFilter(limit=PAGE, text="needle"),
        "absent text": ExecutionFilter(limit=PAGE, text="haystack"),
        "text in the log": ExecutionFilter(limit=PAGE, text="rows of region 17"),
        "by an input": ExecutionFilter(limit=PAGE, text=f'"customer":"C{count // 2:07}"'),
        "text and status": ExecutionFilter(limit=PAGE, text="all done", status=Status.PAUSED),
    }


def measure(store: Store, count: int, tries: int) -> dict[str, dict[str, float]]:
    figures = {}
    for name, filter in questions(count).items():
        times = []
        for _ in range(tries):
            begun = time.perf_counter()
            with store.reading() as transaction:
                found = len(transaction.views(filter).executions)
            times.append((time.perf_counter() - begun) * 1000)
        figures[name] = {"found": found, "median_ms": statistics.median(times), "slowest_ms": max(times)}
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--executions", type=int, default=1_000_000)
    parser.add_argument("--url")
    parser.add_argument("--tries", type=int, default=15)
    parser.add_argument("--json", metavar="FILE")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flows-search-") as directory:
        store = open_store(options.url or f"sqlite:///{directory}/store.sqlite")
        with store.reading() as transaction:
            is_empty = not transaction.views(ExecutionFilter(limit=1)).executions
        if is_empty:
            begun = time.perf_counter()
            fill(store, options.executions)
            print(f"{options.executions} executions written in {time.perf_counter() - begun:.0f} s")
        figures = measure(store, options.executions, options.tries)
        store.close()
    for name, figure in figures.items():
        print(
            f"{name:<24}{figure['found']:>6} found {figure['median_ms']:>10.2f} ms"
            f" {figure['slowest_ms']:>10.2f} ms at most"
        )
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"executions": options.executions, "questions": figures}, file, indent=2)


if __name__ == "__main__":
    main()
