"""What exact resume costs: running normalised code, compiling, capturing and going on.

    python -m benchmarks.resumable [--json FILE] [--rounds N]

pyperformance's pure Python programs run plain and normalised in turns, in one process, timed by the
processor time that they take; a ratio is that of the quickest rounds, so that other work of the machine
counts for little. Capture and going on are measured by the depth of the stack, with small state; going on
also as after a restart, when the process has yet to compile the unit.
"""

from __future__ import annotations

import argparse
import gc
import json
import math
import pickle
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from jupyter_flows import resumable
from jupyter_flows.resumable import units
from tests.resumable import foreign_programs as programs

DEEP = """
def go(n, payload):
    name = "frame"
    total = n + 1
    if n == 0:
        return point(total)
    return total + go(n - 1, payload)
result = go(DEPTH, [1, 2, 3])
"""


def timed(action: Callable[[], Any]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def ratio_of(program: str, rounds: int) -> float:
    """Time of the normalised program by that of the plain one."""

    def plain(source: str, names: dict[str, Any]) -> None:
        exec(compile(source, f"{program}.py", "exec", dont_inherit=True), names)

    def normalised(source: str, names: dict[str, Any]) -> None:
        exec(resumable.compile_unit(source, f"{program}_flow.py").code, names)

    run = programs.WORKLOADS[program]
    one, other = programs.loaded(program, plain), programs.loaded(program, normalised)
    run(one), run(other)
    repeat = max(1, int(0.03 / max(timed(lambda: run(one)), 1e-4)))
    best = {id(one): math.inf, id(other): math.inf}
    for number in range(rounds):
        gc.collect()
        for names in (one, other) if number % 2 else (other, one):
            start = time.process_time()
            for _ in range(repeat):
                run(names)
            best[id(names)] = min(best[id(names)], time.process_time() - start)
    return best[id(other)] / best[id(one)]


def compile_milliseconds() -> float:
    """For 1,000 lines of the programs, the plain compilation included."""
    lines, took = 0, 0.0
    for program in programs.WORKLOADS:
        source = programs.source_of(program)
        lines += source.count("\n")
        took += timed(lambda source=source: resumable.compile_unit(source, "program.py"))
    return took / lines * 1e6


def capture_microseconds(depth: int) -> float:
    taken: list[float] = []

    def point(value: int) -> int:
        frame = sys._getframe(1)
        resumable.capture(frame, point)  # the first one reads the code
        taken.extend(timed(lambda: resumable.capture(frame, point)) for _ in range(200))
        return value

    unit = resumable.compile_unit(DEEP.replace("DEPTH", str(depth - 2)), "deep.py")
    exec(unit.code, {"point": point})
    return median(taken) * 1e6


def resume_milliseconds(depth: int, cold: bool) -> float:
    """From stored bytes to the first instruction that goes on.

    The unit is known and nothing else compiled; or `cold`: only its source is, as after a restart.
    """
    taken = []
    for number in range(15):
        kept: list[bytes] = []

        def point(value: int, kept: list[bytes] = kept) -> int:
            continuation = resumable.capture(sys._getframe(1), point)
            kept.append(pickle.dumps((continuation, continuation.locals())))
            return value

        # A comment of its own makes it a new unit, so nothing is remembered from the round before.
        source = DEEP.replace("DEPTH", str(depth - 2)) + f"# {number} {cold}\n"
        unit = resumable.compile_unit(source, "deep.py")
        names: dict[str, Any] = {"point": point}
        exec(unit.code, names)
        reached: list[float] = []

        class Value:
            def __radd__(self, other: int, reached: list[float] = reached) -> int:
                reached.append(time.perf_counter())
                return other

        if cold:
            units._units.pop(unit.digest)
        start = time.perf_counter()
        continuation, values = pickle.loads(kept[0])
        continuation.with_locals(values).resume(namespace=names, value=Value())
        taken.append(reached[0] - start)
    return median(taken) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    if not programs.is_installed():
        sys.exit("pyperformance is missing: pip install pyperformance")
    figures: dict[str, float] = {}
    for program in programs.WORKLOADS:
        figures[f"ratio_{program}"] = ratio_of(program, options.rounds)
        print(f"{program:20} {figures[f'ratio_{program}']:6.3f}", flush=True)
    ratios = list(figures.values())
    figures["ratio_mean"] = math.exp(sum(map(math.log, ratios)) / len(ratios))
    figures["ratio_worst"] = max(ratios)
    figures["compile_ms_per_1000_lines"] = compile_milliseconds()
    for depth in (2, 10, 50, 200):
        figures[f"capture_us_{depth}_frames"] = capture_microseconds(depth)
    figures["resume_ms_10_frames"] = resume_milliseconds(10, cold=False)
    figures["resume_cold_ms_10_frames"] = resume_milliseconds(10, cold=True)
    for name, value in figures.items():
        if not name.startswith("ratio_") or name in ("ratio_mean", "ratio_worst"):
            print(f"{name:28} {value:10.3f}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
