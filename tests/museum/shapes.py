"""What the rules make of the corpus: the same on every version of Python, and new only with a new number."""

from __future__ import annotations

import ast
import hashlib
import json
from pathlib import Path

from jupyter_flows.resumable import units
from jupyter_flows.resumable.knowledge import KNOWN, Knowledge
from jupyter_flows.resumable.walking import children

from ..resumable.harness import awaits
from ..resumable.test_stop_everywhere import PROGRAMS

FILE = Path(__file__).parent / "shapes.json"


def shapes() -> dict[str, str]:
    """For each program of the corpus what it is made from, and what is made of it."""
    before = vars(KNOWN).copy()
    try:
        return {name: _shape(source) for name, source in PROGRAMS.items()}
    finally:
        vars(KNOWN).update(before)


def _shape(source: str) -> str:
    vars(KNOWN).update(vars(Knowledge()))
    unit = units.Unit(source, "program.py", awaits(source))
    hasher = hashlib.sha256()
    waiting: list[ast.AST] = [unit.tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Constant) and node.value == "":  # Python 3.12 ends formats with one
            continue
        told = [type(node).__name__, *(repr(value) for value in node.__dict__.values() if _is_told(value))]
        hasher.update(" ".join(told).encode())
        waiting += children(node)
    with_what = unit.digest.rpartition("~")[0]  # the source, and what is foreseen
    return f"{hashlib.sha256(with_what.encode()).hexdigest()[:8]} {hasher.hexdigest()[:8]}"


def _is_told(value: object) -> bool:
    return isinstance(value, str | bytes | float | complex | bool)


def write() -> None:
    FILE.write_text(json.dumps({"rules": units.RULES, "shapes": shapes()}, indent=0) + "\n")


def read() -> tuple[int, dict[str, str]]:
    kept = json.loads(FILE.read_text())
    return kept["rules"], kept["shapes"]
