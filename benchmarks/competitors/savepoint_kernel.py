"""What `benchmarks.savepoints` runs inside of a kernel: the competitor's hooks with a stopwatch around them.

Every competitor saves after each cell in the kernel's own hooks, so that all are timed in the same way: the
processor time and the wall time of the kernel's process while its hooks run. The libraries that a session
uses are imported by the session, never here.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

_Stopwatch = tuple[float, float]


def now() -> _Stopwatch:
    return time.process_time(), time.perf_counter()


class Measured:
    """What the hooks of one cell took."""

    def __init__(self) -> None:
        self.cpu = self.wall = 0.0
        self.bytes = 0

    def timed(self, hook: Any) -> Any:
        def run(argument: Any) -> None:
            before = now()
            try:
                hook(argument)
            finally:
                after = now()
                self.cpu += after[0] - before[0]
                self.wall += after[1] - before[1]

        return run

    def take(self) -> dict[str, float]:
        taken = {"cpu": self.cpu, "wall": self.wall, "bytes": self.bytes}
        self.cpu = self.wall = 0.0
        self.bytes = 0
        return taken


MEASURED = Measured()


def variables(shell: Any) -> dict[str, Any]:
    """What the session made, without the names that the shell and the kernel brought."""
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in shell.user_ns.items()
        if name.isidentifier()
        and not name.startswith("_")
        and not (name in hidden and hidden[name] is value)
        and name not in ("In", "Out", "get_ipython", "exit", "quit", "open")
    }


class Ours:
    """The Flows kernel saves by itself: its hook gets the stopwatch."""

    def __init__(self, shell: Any, _: Path) -> None:
        self._shell = shell
        hooks = shell.events.callbacks["post_run_cell"]
        for number, hook in enumerate(hooks):
            if getattr(hook, "__name__", "") == "cell_finished":
                hooks[number] = MEASURED.timed(hook)
                return
        raise AssertionError("this is no Flows kernel")

    def restore(self, savepoint: str) -> None:
        self._shell.flow(f"restore {savepoint}")


class Whole:
    """dill and cloudpickle: everything, each time."""

    def __init__(self, shell: Any, where: Path, module: str) -> None:
        self._shell, self._file = shell, where / "session"
        self._module = __import__(module)
        shell.events.register("post_run_cell", MEASURED.timed(self._after))

    def _after(self, result: Any) -> None:
        if not result.info.store_history:
            return
        with open(self._file, "wb") as stream:
            self._module.dump(variables(self._shell), stream, protocol=5)
        MEASURED.bytes = self._file.stat().st_size

    def restore(self, _: str) -> None:
        with open(self._file, "rb") as stream:
            self._shell.user_ns.update(self._module.load(stream))


class Kishu:
    """Its own hooks, around cells that a person ran."""

    def __init__(self, shell: Any, where: Path) -> None:
        os.environ["KISHU_PATH_ROOT"] = str(where)
        notebook = where / "notebook.ipynb"
        os.environ["TEST_NOTEBOOK_PATH"] = str(notebook)
        import nbformat
        from kishu.jupyterint import KishuForJupyter
        from kishu.notebook_id import NotebookId
        from kishu.storage.config import Config

        Config.set("JUPYTERINT", "test_mode", True)
        if not notebook.exists():
            book = nbformat.v4.new_notebook()
            book.metadata["kishu"] = {"notebook_id": "session", "session_count": 1}
            nbformat.write(book, notebook)
        self._database = where / "notebook.kishudb"
        self._shell = shell
        self._kishu = KishuForJupyter(NotebookId("session", notebook, "test_kernel_id"), ip=shell)
        self._kishu.set_session_id(1)
        self._before = 0
        shell.events.register("pre_run_cell", MEASURED.timed(self._ahead))
        shell.events.register("post_run_cell", MEASURED.timed(self._after))

    def _ahead(self, info: Any) -> None:
        if info.store_history:
            self._kishu.pre_run_cell(info)

    def _after(self, result: Any) -> None:
        if result.info.store_history:
            self._kishu.post_run_cell(result)
            size = self.size()
            MEASURED.bytes, self._before = size - self._before, size

    def size(self) -> int:
        return sum(path.stat().st_size for path in self._database.parent.glob("notebook.kishudb*"))

    def head(self) -> str:
        from kishu.storage.branch import KishuBranch

        return str(KishuBranch(self._database).get_head().commit_id)

    def restore(self, savepoint: str) -> None:
        self._kishu.checkout(savepoint, skip_notebook=True)


class _Here:
    competitor: Any = None


def install(name: str, where: str) -> None:
    """Called by a silent cell before the session's."""
    shell = sys.modules["IPython"].get_ipython()
    made: Any = {"ours": Ours, "kishu": Kishu}.get(name)
    _Here.competitor = Whole(shell, Path(where), name) if made is None else made(shell, Path(where))


def head() -> None:
    """Print the competitor's name for the newest savepoint, if it has one."""
    print(_Here.competitor.head() if isinstance(_Here.competitor, Kishu) else "")


def after_cell() -> None:
    """Print what the savepoint of the last cell took."""
    print("MEASURED " + json.dumps(MEASURED.take()))


def names() -> None:
    """Print the session's variables."""
    own = variables(sys.modules["IPython"].get_ipython())
    print(", ".join(name for name in own if name not in ("this", "system", "inputs", "flow_api")))


def restore(savepoint: str) -> None:
    """Put the newest savepoint of the session back, and print what that took."""
    shell = sys.modules["IPython"].get_ipython()
    gc.collect()
    before = now()
    _Here.competitor.restore(savepoint)
    after = now()
    found = {"cpu": after[0] - before[0], "wall": after[1] - before[1], "variables": len(variables(shell))}
    print("MEASURED " + json.dumps(found))
