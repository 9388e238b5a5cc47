"""The standard library's functions between two functions of a flow: kept, left out, or refused.

What is compared with plain Python in the corpus is not tried again here: here are real snapshots, and what
must not be touched.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import resumable
from jupyter_flows.resumable import borrowed

from .test_debugging import GO_ON, _Stop, point, saved

DISPATCHED = """\
from functools import singledispatch, singledispatchmethod
@singledispatch
def shown(x):
    point(x)
    return f"any {x}"
@shown.register
def _(x: int):
    point(x)
    return f"int {x + 1}"
class Writer:
    def __init__(self): self.out = []
    @singledispatchmethod
    def write(self, x): point(x); self.out.append(x); return self
    @write.register
    def _(self, x: int): point(x); self.out.append(-x); return self
writer = Writer()
print(shown("a"), shown(1), writer.write(3).write("c").out)
1 / len([])
"""

MANAGED = """\
from contextlib import ExitStack, contextmanager
@contextmanager
def opened(name):
    point("open " + name)
    try:
        yield name
    finally:
        point("close " + name)
@opened("decorates")
def work():
    with ExitStack() as stack:
        names = [stack.enter_context(opened(one)) for one in "ab"]
        stack.callback(point, "callback")
    return names
print(work())
1 / len([])
"""


@pytest.mark.parametrize("source", [DISPATCHED, MANAGED], ids=["dispatched", "managed"])
def test_a_savepoint_in_a_library_goes_on_in_another_process(
    source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files, _ = saved(source, tmp_path)
    printed = capsys.readouterr().out
    root = str(Path(__file__).resolve().parents[2])
    for number in sorted({0, 1, len(files) // 2, len(files) - 1}):
        command = [sys.executable, "-c", GO_ON, str(tmp_path / "chunks"), str(files[number]), root]
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(printed), f"stop {number}"


def _reasons(source: str, **names: Any) -> list[str | None]:
    found: list[str | None] = []
    _Stop.on_call = lambda continuation: found.append(continuation.inexact_reason)
    try:
        namespace = {"__name__": "__main__", "point": point, **names}
        exec(resumable.compile_unit(source, "flow.py").code, namespace)
    finally:
        _Stop.on_call = None
    return found


def test_a_function_that_somebody_replaced_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def entering(self: Any) -> Any:
        return next(self.gen)

    monkeypatch.setattr(contextlib._GeneratorContextManager, "__enter__", entering)
    monkeypatch.setattr(borrowed, "_installed", set())
    source = "import contextlib\n@contextlib.contextmanager\ndef m():\n    yield point(1)\nwith m(): pass\n"
    reasons = _reasons(source)
    assert entering.__code__.co_filename == __file__
    assert len(reasons) == 1
    assert reasons[0] is not None
    assert "entering" in reasons[0]


def test_borrowed_functions_stay_what_they_were() -> None:
    resumable.compile_unit("import contextlib, functools", "flow.py")
    for function in (contextlib.contextmanager, contextlib.ExitStack.__exit__, contextlib.closing.__exit__):
        unit = resumable.unit_of(function.__code__)
        assert unit is not None
        assert unit.library == "contextlib"
        assert function.__module__ == "contextlib"
        assert function.__globals__ is vars(contextlib)
    assert contextlib.contextmanager.__doc__ is not None
    assert "def helper" in inspect.getsource(contextlib.contextmanager)
    assert list(inspect.signature(contextlib.ExitStack.enter_context).parameters) == ["self", "cm"]
    assert vars(functools.cached_property)["__get__"].__qualname__ == "cached_property.__get__"


def test_libraries_that_use_them_see_no_difference() -> None:
    resumable.compile_unit("import contextlib", "flow.py")
    log: list[Any] = []

    @contextlib.contextmanager
    def around(name: str) -> Any:
        log.append(name)
        try:
            yield name
        except ValueError:
            log.append("caught")

    with around("a") as value:
        raise ValueError(value)
    assert log == ["a", "caught"]

    @contextlib.contextmanager
    def twice() -> Any:
        with contextlib.suppress(ValueError):
            yield
        yield

    with pytest.raises(RuntimeError, match=r"generator didn't stop$"), twice():
        pass
    with pytest.raises(RuntimeError, match="after throw"), twice():
        raise ValueError
    with pytest.raises(TypeError, match="context manager protocol"), contextlib.ExitStack() as stack:
        stack.enter_context(3)  # type: ignore[arg-type]
    with pytest.raises(StopIteration), around("s"):
        raise StopIteration


def test_a_traceback_shows_the_authors_lines_and_a_file_that_can_be_read() -> None:
    source = "import contextlib\n@contextlib.contextmanager\ndef m():\n    raise KeyError('k')\n    yield\n"
    source += "with m(): pass\n"
    with pytest.raises(KeyError) as caught:
        exec(resumable.compile_unit(source, "told.py").code, {"__name__": "__main__"})
    lines = [(one.name, one.line) for one in traceback.extract_tb(caught.value.__traceback__)[1:]]
    assert lines == [
        ("<module>", "with m(): pass"),
        ("__enter__", "return next(self.gen)"),
        ("m", "raise KeyError('k')"),
    ]


REFUSED = {
    "a cache that is made by a call": "import functools\ndef f(x): return point(x)\nfunctools.cache(f)(1)",
    "accumulate in a variable": "import itertools\ndef f(a, b): return point(a + b)\n"
    "kept = itertools.accumulate([1, 2, 3], f)\nlist(kept)",
    "a default factory": "from dataclasses import dataclass, field\ndef make(): return point([])\n"
    "@dataclass\nclass D:\n    x: list = field(default_factory=make)\n    y: int = 2\nD()",
    "a missing member": "import enum\nclass E(enum.Enum):\n    A = 1\n    @classmethod\n"
    "    def _missing_(cls, value): return point(cls.A)\nE(5)",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_more_to_do_is_refused(name: str) -> None:
    reasons = _reasons(REFUSED[name])
    assert reasons
    assert all(reasons), reasons


def test_a_loop_over_rows_of_a_database_says_why_it_cannot_go_on(tmp_path: Path) -> None:
    source = (
        "import sqlite3\ndb = sqlite3.connect(':memory:')\ndb.execute('create table t (x)')\n"
        "db.executemany('insert into t values (?)', [(n,) for n in range(3)])\ndb.commit()\n"
        "def work():\n    for (x,) in db.execute('select x from t'):\n        point(x)\n"
        "def fetched():\n    for (x,) in db.execute('select x from t').fetchall():\n        point(x)\n"
        "    return x\n"
        "work()\nprint(fetched())\n1 / len([])\n"
    )
    files, _ = saved(source, tmp_path)
    root = str(Path(__file__).resolve().parents[2])
    ended = []
    for file in (files[0], files[-2]):
        command = [sys.executable, "-c", GO_ON, str(tmp_path / "chunks"), str(file), root]
        ended.append(subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False))
    assert ended[0].returncode == 1
    assert "a value that a statement waits with" in ended[0].stderr
    assert "a cursor with rows to fetch cannot be kept" in ended[0].stderr
    assert ended[1].stdout.startswith("2\n"), ended[1].stderr
