"""Programs that no one here wrote, a call put into every function, stopped at a sample of the calls."""

from __future__ import annotations

import ast
import itertools

import pytest

from . import foreign_programs as foreign
from .harness import compare
from .workers import interpreters

pytestmark = pytest.mark.skipif(not foreign.is_installed(), reason="pyperformance is not installed")

#: program -> what to run, small enough to be gone on with many times
DRIVERS = {
    "barnes_hut": "bench_quadtree_nbody(1, 6, 2, 0.5)",
    "chaos": "points = [GVector(*p) for p in ((1.5, 3, 0), (1, 4, 0), (2.5, 5, 0), (3, 2, 0))]\n"
    "game = Chaosgame([Spline(points, 3, [0, 0, 0, 1, 1, 1])], 0.25)\n"
    "del points\n"
    "result = game.create_image_chaos(8, 8, 20, None, 7)",
    "comprehensions": "bench_comprehensions(2)",
    "deltablue": "delta_blue(10)",
    "fannkuch": "result = fannkuch(5)",
    "float": "result = str(benchmark(30))",
    "generators": "result = list(tree(range(12)))",
    "go": "GAMES, SIZE = 2, 5\nresult = versus_cpu()",
    "hexiom": "main(1, 2)",
    "mdp": "result = [(plus12(n), sorted(getCritDist(50, 1, 9, 9 + n, 8, 8, 40, 1.5, 1))) for n in range(5)]",
    "meteor_contest": "board, cti, pieces = get_puzzle(5, 10)\n"
    "result = [convert(one) for one in ([0, 1, 2], [3, 4])], len(board), len(pieces)",
    "nbody": "bench_nbody(1, 'sun', 5)",
    "nqueens": "result = bench_n_queens(5)",
    "pidigits": "result = calc_ndigits(12)",
    "pyflate": "import bz2, io\n"
    "def run():\n"
    "    field = RBitfield(io.BytesIO(bz2.compress(b'to and fro ' * 9)))\n"
    "    field.readbits(16)\n"
    "    return bzip2_main(field)\n"
    "result = run()",
    "raytrace": "bench_raytrace(1, 5, 5, None)",
    "richards": "result = Richards().run(1)",
    "richards_super": "result = Richards().run(1)",
    "scimark": "bench_LU(1, 4), bench_FFT(1, 8, 2), bench_MonteCarlo(1, 20), bench_SOR(1, 5, 2, Array2D)",
    "spectral_norm": "DEFAULT_N = 4\nbench_spectral_norm(1)",
    "unpack_sequence": "do_unpacking(1, (1, 2, 3, 4, 5, 6, 7, 8, 9, 10))",
}
#: program -> a size in its text, and a smaller one
SMALLER = {"richards": ("10000", "40"), "richards_super": ("10000", "40")}
QUICK = ("nqueens", "pyflate", "deltablue", "chaos")


class _Marked(ast.NodeTransformer):
    """A call at the start of every function; the programs' clock comes from the standard library."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self.generic_visit(node)
        place = 1 if ast.get_docstring(node, clean=False) is not None else 0
        node.body.insert(place, ast.parse("__point__(0)").body[0])
        return node

    def visit_Import(self, node: ast.Import) -> ast.AST:
        for alias in node.names:
            if alias.name == "pyperf":
                alias.name, alias.asname = "time", "pyperf"
        return node


def marked_source(program: str) -> str:
    source = foreign.source_of(program).replace(*SMALLER.get(program, ("", "")))
    tree = _Marked().visit(ast.parse(source))
    tree.body = [
        one for one in tree.body if not (isinstance(one, ast.If) and "__main__" in ast.unparse(one.test))
    ]
    return f"{ast.unparse(tree)}\n{DRIVERS[program]}\n"


@pytest.mark.parametrize("program", QUICK)
def test_a_foreign_program_goes_on_from_some_calls(program: str) -> None:
    assert compare(marked_source(program), most=4, chained=False, exact=False) > 0


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("program", DRIVERS)
def test_a_foreign_program_goes_on(program: str, version: str) -> None:
    if version not in interpreters():
        pytest.skip(f"Python {version} is not installed")
    python = interpreters()[version]
    source = marked_source(program)
    assert compare(source, most=20, exact=False, captures=python, python=python) > 0


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(["3.11", "3.12", "3.13"], 2)))
@pytest.mark.parametrize("program", DRIVERS)
def test_a_foreign_program_goes_on_with_another_version(program: str, one: str, other: str) -> None:
    if not {one, other} <= interpreters().keys():
        pytest.skip(f"Python {one} or {other} is not installed")
    captures, python = interpreters()[one], interpreters()[other]
    source = marked_source(program)
    compare(source, most=6, chained=False, exact=False, captures=captures, python=python)
