"""Every program of the corpus: stopped at each call, gone on with in a fresh process, nothing differs.

A corpus file holds many programs; a line ``# --- name`` starts one.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from .harness import compare

CORPUS = Path(__file__).parent / "corpus"


def programs() -> dict[str, str]:
    found: dict[str, str] = {}
    for file in sorted(CORPUS.glob("*.txt")):
        name = ""
        for line in file.read_text().splitlines(keepends=True):
            if line.startswith("# --- "):
                name = f"{file.stem}: {line.removeprefix('# --- ').strip()}"
                assert name not in found
                found[name] = ""
            else:
                found[name] += line
    return found


PROGRAMS = programs()


@pytest.mark.parametrize("name", PROGRAMS)
def test_goes_on_from_every_call(name: str) -> None:
    assert compare(PROGRAMS[name]) > 0


def test_the_corpus_is_large() -> None:
    assert len(PROGRAMS) >= 300
