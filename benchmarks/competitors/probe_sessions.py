"""What `benchmarks.probes` runs: each probe in a process of its own, forked from one that has imported all.

The competitor's `save` and `load` run in different processes, in the real `__main__`. Kishu refuses to
restore in a process that did not run the cells, so it saves and restores in one, with all variables deleted
in between.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import types
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

#: Seconds of a probe's step; the slowest takes about two.
_SECONDS = 60


def _variables(namespace: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in namespace.items() if not name.startswith("__")}


class Ours:
    needs_one_process = False

    def __init__(self) -> None:
        from jupyter_flows import resumable, snapshot

        self._resumable, self._snapshot = resumable, snapshot

    def run(self, text: str, namespace: dict[str, Any]) -> None:
        exec(self._resumable.compile_unit(text, "probe.py").code, namespace)

    def save(self, namespace: dict[str, Any], where: Path) -> None:
        chunks = self._snapshot.DirectoryChunks(where / "chunks")
        objects = {f"globals/{name}": value for name, value in _variables(namespace).items()}
        objects["state/process"] = self._snapshot.ProcessState.now()
        (where / "manifest").write_bytes(self._snapshot.save(objects, chunks, namespace).to_bytes())

    def load(self, namespace: dict[str, Any], where: Path) -> None:
        manifest = self._snapshot.Manifest.from_bytes((where / "manifest").read_bytes())
        objects = self._snapshot.load(manifest, self._snapshot.DirectoryChunks(where / "chunks"), namespace)
        objects.pop("state/process").put_back()
        namespace.update({name.removeprefix("globals/"): value for name, value in objects.items()})


class _Plain:
    needs_one_process = False

    def run(self, text: str, namespace: dict[str, Any]) -> None:
        exec(compile(text, "probe.py", "exec"), namespace)


class Dill(_Plain):
    """`dump_module` and `load_module`, as their documentation shows them."""

    def __init__(self) -> None:
        import dill

        self._dill = dill

    def save(self, _: dict[str, Any], where: Path) -> None:
        self._dill.dump_module(str(where / "session"))

    def load(self, _: dict[str, Any], where: Path) -> None:
        self._dill.load_module(str(where / "session"))


class Cloudpickle(_Plain):
    """One dict with all variables."""

    def __init__(self) -> None:
        import cloudpickle

        self._cloudpickle = cloudpickle

    def save(self, namespace: dict[str, Any], where: Path) -> None:
        (where / "session").write_bytes(self._cloudpickle.dumps(_variables(namespace)))

    def load(self, namespace: dict[str, Any], where: Path) -> None:
        namespace.update(self._cloudpickle.loads((where / "session").read_bytes()))


class Kishu:
    """Its hooks around the cells of an IPython shell, then a checkout."""

    needs_one_process = True

    def __init__(self) -> None:
        import kishu.jupyterint  # noqa: F401 - imported once, for all probes
        import nbformat  # noqa: F401

    def _install(self, where: Path) -> None:
        os.environ["KISHU_PATH_ROOT"] = str(where)
        notebook = where / "notebook.ipynb"
        os.environ["TEST_NOTEBOOK_PATH"] = str(notebook)
        import nbformat
        from IPython.core.interactiveshell import InteractiveShell
        from kishu.jupyterint import KishuForJupyter
        from kishu.notebook_id import NotebookId
        from kishu.storage.config import Config

        Config.set("JUPYTERINT", "test_mode", True)
        book = nbformat.v4.new_notebook()
        book.metadata["kishu"] = {"notebook_id": "session", "session_count": 1}
        nbformat.write(book, notebook)
        self.database = where / "notebook.kishudb"
        self.shell = InteractiveShell.instance()
        self.kishu = KishuForJupyter(NotebookId("session", notebook, "test_kernel_id"), ip=self.shell)
        self.kishu.set_session_id(1)
        self.shell.events.register("pre_run_cell", self.kishu.pre_run_cell)
        self.shell.events.register("post_run_cell", self.kishu.post_run_cell)

    def cell(self, text: str) -> None:
        result = self.shell.run_cell(text, store_history=True)
        result.raise_error()

    def probe(self, cells: str, check: str, where: Path) -> None:
        from kishu.storage.branch import KishuBranch

        self._install(where)
        before = set(self.shell.user_ns)
        self.cell(cells)
        commit = str(KishuBranch(self.database).get_head().commit_id)
        names = [name for name in self.shell.user_ns if name not in before and not name.startswith("_")]
        if names:
            self.cell("del " + ", ".join(names))
        self.kishu.checkout(commit, skip_notebook=True)
        self.cell(check)


_COMPETITORS: dict[str, Callable[[], Any]] = {
    "ours": Ours,
    "dill": Dill,
    "cloudpickle": Cloudpickle,
    "kishu": Kishu,
}


def _in_a_child(work: Callable[[], None], where: Path) -> str:
    """Why `work` failed in a process of its own; nothing if it did not."""
    report = where / "report"
    report.unlink(missing_ok=True)
    child = os.fork()
    if child == 0:
        signal.alarm(_SECONDS)
        try:
            nowhere = os.open(os.devnull, os.O_RDWR)
            os.dup2(nowhere, 1)
            os.dup2(nowhere, 2)
            os.chdir(where / "cwd")
            problem = ""
            try:
                work()
            except BaseException as error:
                problem = f"{type(error).__name__}: {error}"[:300] or "failed"
            report.write_text(problem, encoding="utf-8", errors="replace")
        finally:
            os._exit(0)  # a thread of a probe waits for ever
    _, status = os.waitpid(child, 0)
    if not report.exists():
        return f"the process was ended: status {status}"
    return report.read_text(encoding="utf-8")


def _problem(competitor: Any, cells: str, check: str, where: Path) -> str:
    (where / "cwd").mkdir(parents=True)
    if competitor.needs_one_process:
        return _in_a_child(lambda: competitor.probe(cells, check, where), where)
    namespace = sys.modules["__main__"].__dict__

    def save() -> None:
        competitor.run(cells, namespace)
        competitor.save(namespace, where)

    def load() -> None:
        competitor.load(namespace, where)
        competitor.run(check, namespace)

    saved = _in_a_child(save, where)
    return f"not saved: {saved}" if saved else _in_a_child(load, where)


def main(name: str, directory: str) -> None:
    """Run all probes for one competitor; the results lie in ``results.json`` of the directory."""
    import importlib

    warnings.simplefilter("ignore")
    for library in ("numpy", "pandas", "matplotlib.pyplot", "sklearn.linear_model"):
        importlib.import_module(library)
    assert isinstance(sys.modules["__main__"], types.ModuleType)
    from tests.snapshot.probes import PROBES

    competitor = _COMPETITORS[name]()
    results = {
        probe: _problem(competitor, cells, check, Path(directory) / f"{name}-{number}")
        for number, (probe, cells, check) in enumerate(PROBES)
    }
    (Path(directory) / "results.json").write_text(json.dumps(results))
