"""A person who debugs in a notebook: what pdb, %debug, %who and completion show is the author's code."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .test_notebook import SECONDS, Notebook

CELL = """\
def price(x):
    if x > 5:
        1 / 0
    return x
def work(n):
    total = 0
    for item in [n, n + 1]:
        # what it costs
        total += len(str(item)) + price(item)
        HERE
        last = price(item)
    return total
print(work(N))
"""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Talking(Notebook):
    """A notebook whose cells may ask."""

    def talk(self, source: str, *answers: str) -> list[str]:
        """Run a cell; gives what it showed, in pieces, a new one after each answer."""
        shown, waiting = [""], list(answers)

        def hear(message: dict[str, Any]) -> None:
            content = message["content"]
            kind = message["header"]["msg_type"]
            text = content["text"] if kind == "stream" else ""
            text = f"{content['ename']}: {content['evalue']}" if kind == "error" else text
            shown[-1] += _COLOURS.sub("", text)

        def answer(_: dict[str, Any]) -> None:
            shown.append("")
            self._client.input(waiting.pop(0) if waiting else "c")

        self._client.execute_interactive(
            source, timeout=SECONDS, output_hook=hear, stdin_hook=answer, allow_stdin=True
        )
        return shown

    def matches(self, text: str) -> list[str]:
        """What the Tab key offers."""
        reply: Any = self._client.complete(text, len(text), reply=True, timeout=SECONDS)
        found: list[str] = reply["content"]["matches"]
        return found


@pytest.fixture
def notebook(tmp_path: Path) -> Iterator[Talking]:
    (tmp_path / "story.ipynb").write_text("{}")
    made = Talking(tmp_path, None)
    yield made
    made.close()


#: From Python 3.13 on the debugger stops at the call that wakes it, before that at the line after it.
AWAKE = ["n"] if sys.version_info >= (3, 13) else []


def _told(shown: list[str]) -> str:
    return "".join(shown)


def test_pdb_shows_the_authors_lines_and_variables(notebook: Talking) -> None:
    cell = CELL.replace("HERE", "import pdb; pdb.set_trace()").replace("N)", "1)")
    story = [*AWAKE, "n", "sorted(locals())", "dir()", "p locals()", "total = 100", "w", "c", "c"]
    told = _told(notebook.talk(cell, *story))
    assert "---> 11         last = price(item)" in told
    assert "# what it costs" in told
    assert "['item', 'last', 'n', 'pdb', 'total']" in told
    assert "'total': 2" in told
    assert "'." not in told
    assert "103\n" in told, "100, and what the second item costs"


def test_breakpoint_and_stepping_into_and_out_of_functions(notebook: Talking) -> None:
    notebook.talk("import sys; sys.breakpointhook = sys.__breakpointhook__")
    cell = CELL.replace("HERE", "breakpoint()").replace("N)", "1)")
    told = _told(notebook.talk(cell, *AWAKE, "n", "s", "s", "p x", "r", "u", "p sorted(locals())", "c", "c"))
    assert "---> 11" in told
    assert "--Call--" in told
    assert "--Return--" in told
    assert "['item', 'last', 'n', 'total']" in told
    assert "\n5\n" in told


def test_debug_looks_at_an_error_afterwards(notebook: Talking) -> None:
    assert notebook.run(CELL.replace("HERE", "pass").replace("N)", "5)")).startswith("ZeroDivisionError")
    told = _told(notebook.talk("%debug", "p x", "u", "sorted(locals())", "p item, total", "q"))
    assert "----> 3         1 / 0" in told
    assert "----> 9         total += len(str(item)) + price(item)" in told
    assert "['item', 'last', 'n', 'total']" in told
    assert "(6, 6)" in told


def test_lists_of_variables_and_completion_know_no_temporaries(notebook: Talking) -> None:
    notebook.run("price, prices = 3, [1]")
    assert notebook.run("%who").split() == ["price", "prices"]
    listed = notebook.run("%whos")
    assert re.findall(r"^\S+", listed, re.MULTILINE)[2:] == ["price", "prices"]
    assert notebook.run("get_ipython().run_line_magic('who_ls', '')") == "['price', 'prices']"
    seen = "for one in [len]:\n    get_ipython().run_line_magic('who', '')\n"
    seen += "    print([name for name in dir() if '.' in name])"
    assert notebook.run(seen).split() == ["one", "price", "prices", "[]"]
    assert {"price", "prices"} <= set(notebook.matches("pri"))
    assert not [name for name in notebook.matches("") if name.startswith(".")]
