"""Real programs that no one here wrote: pyperformance's, read from the installed package."""

from __future__ import annotations

import importlib.util
import sys
import time
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

# program -> what one run of it does, small enough for a test
WORKLOADS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "richards": lambda names: names["Richards"]().run(1),
    "richards_super": lambda names: names["Richards"]().run(1),
    "deltablue": lambda names: names["delta_blue"](150),
    "hexiom": lambda names: names["main"](2, 2),
    "raytrace": lambda names: names["bench_raytrace"](1, 24, 24, None),
    "go": lambda names: names["versus_cpu"](),
    "nqueens": lambda names: names["bench_n_queens"](6),
    "nbody": lambda names: names["bench_nbody"](1, "sun", 2000),
    "fannkuch": lambda names: names["fannkuch"](7),
    "float": lambda names: names["benchmark"](10000),
    "spectral_norm": lambda names: names["bench_spectral_norm"](1),
    "generators": lambda names: names["bench_generators"](1),
    "mdp": lambda names: names["bench_mdp"](1),
    "comprehensions": lambda names: names["bench_comprehensions"](200),
    "scimark": lambda names: (names["bench_LU"](1, 12), names["bench_MonteCarlo"](1, 10000)),
    "pyflate": lambda names: names["bzip2"](),
    "chaos": lambda names: names["game"]().create_image_chaos(40, 40, 300, None, 7),
    "meteor_contest": lambda names: names["puzzle"](),
    "unpack_sequence": lambda names: names["bench_all"](60),
    "pidigits": lambda names: names["calc_ndigits"](300),
    "barnes_hut": lambda names: names["bench_quadtree_nbody"](1, 30, 2, 0.5),
}

#: what a workload needs beside the program's own text
ADDED = {
    "pyflate": """
def bzip2():
    import bz2, io
    field = RBitfield(io.BytesIO(bz2.compress(b"to and fro and up and down " * 60)))
    field.readbits(16)
    return bzip2_main(field)
""",
    "chaos": """
def game():
    places = (1.5, 3, 0), (1, 4, 0), (2.5, 5, 0), (3, 2, 0)
    return Chaosgame([Spline([GVector(*one) for one in places], 3, [0, 0, 0, 1, 1, 1])], 0.25)
""",
    "meteor_contest": """
def puzzle():
    board, cti, pieces = get_puzzle(WIDTH, HEIGHT)
    fps, senh = get_footprints(board, cti, pieces), get_senh(board, cti)
    free, left = frozenset(range(len(board))), list(range(len(pieces)))
    return solve(3, 0, free, [-1] * len(board), left, [], fps, senh)
""",
}


def is_installed() -> bool:
    return importlib.util.find_spec("pyperformance") is not None


def source_of(program: str) -> str:
    """The program's text. Raises FileNotFoundError if the installed package does not have it."""
    spec = importlib.util.find_spec("pyperformance")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("pyperformance is not installed")
    place = Path(spec.origin).parent / "data-files" / "benchmarks" / f"bm_{program}" / "run_benchmark.py"
    return place.read_text()


def provide_pyperf() -> None:
    """A stand-in for the benchmark runner: the programs only take its clock."""
    runner = types.ModuleType("pyperf")
    runner.perf_counter = time.perf_counter  # type: ignore[attr-defined]
    sys.modules["pyperf"] = runner


def loaded(program: str, execute: Callable[[str, dict[str, Any]], None]) -> dict[str, Any]:
    """The program's names after its definitions ran."""
    provide_pyperf()
    names: dict[str, Any] = {"__name__": f"program_{program}", "__file__": __file__}
    sys.modules[names["__name__"]] = types.ModuleType(names["__name__"])
    execute(source_of(program) + ADDED.get(program, ""), names)
    return names
