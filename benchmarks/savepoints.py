"""What a savepoint after each cell costs: ours, Kishu, dill, cloudpickle, each in a real kernel.

    python -m benchmarks.savepoints [--json FILE] [--megabytes N] [--objects N] [--repeat N] [--session NAME]

Each competitor runs the same sessions in a Jupyter kernel of its own, started in one environment (made in the
user's cache directory at the first run, with the newest Kishu that imports), and saves after every cell.
Competitors take turns; the table has medians over repeats. Runs on Linux.

- ours: the Flows kernel, as a notebook has it, with a worker and a SQLite store in a process of their own,
  which commits every savepoint before the cell is over. The worker's processor time counts as ours.
- Kishu: IPython's kernel with Kishu's own hooks before and after each cell.
- dill, cloudpickle: IPython's kernel; one file with a dict of all variables that the session made
  (`dump_session` itself fails in a kernel, whose names it cannot pickle).

Bytes are what lies on the disk after the last cell: the store with its chunks, Kishu's database, the files of
all savepoints together. Restored is the state after the last cell, twice: in the same kernel after all
variables were deleted (Kishu refuses to in a fresh one), and, except for Kishu, in a fresh kernel, which
also imports the libraries.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .savepoint_sessions import SESSIONS, data_cells, object_cells

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    *("kishu", "dill", "cloudpickle", "ipython", "ipykernel>=7", "ipywidgets"),
    *("msgspec", "xxhash", "zstandard", "httpx"),
    *("numpy", "pandas", "pyarrow", "scikit-learn", "matplotlib"),
)
COMPETITORS = ("ours", "kishu", "dill", "cloudpickle")
SECONDS = 3600
_HELPER = "__import__('benchmarks.competitors.savepoint_kernel', fromlist=['x'])"


# --- a worker in a process of its own ---------------------------------------------------------------------


def host(where: Path) -> None:
    """A store and a worker until the standard input ends; prints the worker's socket."""
    import asyncio

    from jupyter_flows.engine import Engine, FlowLibrary, Worker
    from jupyter_flows.store import open_store

    async def work() -> None:
        store = open_store(f"sqlite:///{where}/store/store.sqlite")
        engine = Engine(store, FlowLibrary(where))
        worker = Worker(engine, slots=1)
        await worker.start()
        print(worker.socket_path, flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        await worker.stop()
        engine.close()
        store.close()

    (where / "store").mkdir(exist_ok=True)
    asyncio.run(work())


class Host:
    def __init__(self, where: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.savepoints", "--host", str(where)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=settings(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._process.stdout is not None
        self.socket = self._process.stdout.readline().strip()

    def cpu(self) -> float:
        """The processor seconds that the process has used."""
        return time.clock_gettime((~self._process.pid << 3) | 2)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


# --- kernels ----------------------------------------------------------------------------------------------


class Kernel:
    """One kernel of a competitor, for one who types cells."""

    def __init__(self, python: Path, name: str, where: Path, socket: str) -> None:
        from jupyter_client.manager import KernelManager

        module = "jupyter_flows.kernel" if name == "ours" else "ipykernel_launcher"
        self._manager = KernelManager(kernel_name="python3")
        spec = self._manager.kernel_spec
        assert spec is not None
        spec.argv = [str(python), "-m", module, "-f", "{connection_file}"]
        environment = settings() | {"JPY_SESSION_NAME": str(where / "session.ipynb")}
        if socket:
            environment["JUPYTER_FLOWS_SOCKET"] = socket
        (where / "session.ipynb").write_text("{}")
        self._manager.start_kernel(cwd=str(ROOT), env=environment)
        self._client = self._manager.client()
        self._client.start_channels()
        self._client.wait_for_ready(timeout=SECONDS)
        self.helper("install", name, str(where))

    def run(self, source: str, *, is_hidden: bool = False) -> str:
        """What the cell printed. Raises RuntimeError when it raised."""
        printed: list[str] = []

        def hear(message: dict[str, Any]) -> None:
            if message["header"]["msg_type"] == "stream":
                printed.append(message["content"]["text"])

        reply = self._client.execute_interactive(
            source, store_history=not is_hidden, timeout=SECONDS, output_hook=hear, allow_stdin=False
        )
        if reply["content"]["status"] != "ok":
            raise RuntimeError("\n".join(reply["content"].get("traceback", ["aborted"]))[-2000:])
        return "".join(printed)

    def helper(self, function: str, *arguments: Any) -> str:
        return self.run(f"{_HELPER}.{function}(*{arguments!r})", is_hidden=True)

    def measured(self, function: str, *arguments: Any) -> dict[str, float]:
        for line in reversed(self.helper(function, *arguments).splitlines()):
            if line.startswith("MEASURED "):
                found: dict[str, float] = json.loads(line.removeprefix("MEASURED "))
                return found
        raise RuntimeError(f"{function} said nothing")

    def close(self) -> None:
        self._client.stop_channels()
        self._manager.shutdown_kernel(now=True)


@contextlib.contextmanager
def kernel(python: Path, name: str, where: Path, socket: str) -> Iterator[Kernel]:
    made = Kernel(python, name, where, socket)
    try:
        yield made
    finally:
        made.close()


def run_session(python: Path, name: str, cells: list[str], where: Path) -> dict[str, Any]:
    """Processor and wall seconds and bytes of each savepoint, and what restoring the last one takes."""
    worker = Host(where) if name == "ours" else None
    socket = worker.socket if worker is not None else ""
    figures: dict[str, Any] = {"cpu": [], "wall": [], "bytes": [], "worker": []}
    try:
        with kernel(python, name, where, socket) as session:
            for cell in cells:
                before = worker.cpu() if worker is not None else 0.0
                size = disk(where) if name == "ours" else 0
                session.run(cell)
                taken = session.measured("after_cell")
                by_worker = worker.cpu() - before if worker is not None else 0.0
                figures["cpu"].append(taken["cpu"] + by_worker)
                figures["worker"].append(by_worker)
                figures["wall"].append(taken["wall"])
                figures["bytes"].append(disk(where) - size if name == "ours" else taken["bytes"])
            savepoint = newest(where) if name == "ours" else session.helper("head").strip()
            # As a cell of its own: Kishu restores only what it saw going.
            session.run("del " + session.helper("names").strip(), is_hidden=name != "kishu")
            figures["restore"] = attempt(session, savepoint)
        if name != "kishu":
            with kernel(python, name, where, socket) as fresh:
                figures["restore_fresh"] = attempt(fresh, savepoint)
    finally:
        if worker is not None:
            worker.close()
    figures["disk"] = disk(where) if name in ("ours", "kishu") else sum(figures["bytes"])
    return figures


def attempt(session: Kernel, savepoint: str) -> dict[str, float] | None:
    try:
        return session.measured("restore", savepoint)
    except RuntimeError as error:
        print(f"  a restore failed: {error}", file=sys.stderr)
        return None


def disk(where: Path) -> int:
    """What the files hold, without the notebook and without a database's log, which is emptied in the end."""
    files = [path for path in where.rglob("*") if path.is_file() and path.suffix != ".ipynb"]
    return sum(path.stat().st_size for path in files if not path.name.endswith(("-wal", "-shm")))


def newest(where: Path) -> str:
    """The last savepoint of the only execution there is."""
    from jupyter_flows.store import open_store

    store = open_store(f"sqlite:///{where}/store/store.sqlite")
    try:
        from jupyter_flows.engine import Engine, FlowLibrary

        engine = Engine(store, FlowLibrary(where))
        execution = engine.executions(limit=1).executions[0]
        return str(max(engine.savepoints(execution.id), key=lambda one: one.number).id)
    finally:
        store.close()


# --- the run ----------------------------------------------------------------------------------------------


def environment() -> Path:
    """The competitors' environment: one for each list of packages, made at its first run, never cleared."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "jupyter-flows-benchmarks"
    packages = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:8]
    where = cache / f"savepoints-{sys.version_info[0]}.{sys.version_info[1]}-{packages}"
    done = where / "complete"
    if not done.exists():
        print(f"making {where} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(where)], check=True)
        install = [str(where / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, check=True)
        done.touch()
    return where / "bin" / "python"


def settings() -> dict[str, str]:
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("JUPYTER_FLOWS")},
        "PYTHONPATH": str(ROOT),
        "JUPYTER_FLOWS_KEY": "benchmark",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
    }


def measure(python: Path, options: argparse.Namespace) -> dict[str, dict[str, list[dict[str, Any]]]]:
    figures: dict[str, dict[str, list[dict[str, Any]]]] = {}
    names = options.competitor or COMPETITORS
    for session in options.session or SESSIONS:
        figures[session] = {name: [] for name in names}
        cells = SESSIONS[session](options.megabytes, options.objects)
        for turn in range(options.repeat):
            for name in names if turn % 2 == 0 else names[::-1]:
                with tempfile.TemporaryDirectory(prefix="savepoints-") as where:
                    try:
                        figures[session][name].append(run_session(python, name, cells, Path(where)))
                    except RuntimeError as error:
                        print(f"  {name} failed in {session}: {error}", file=sys.stderr)
        show_session(session, figures[session])
    return figures


def hash_vs_memcpy() -> float:
    """How much faster a buffer is hashed than copied."""
    import xxhash

    source, target = memoryview(bytearray(os.urandom(1 << 20) * 256)), bytearray(256 << 20)
    times: dict[str, list[float]] = {"hash": [], "copy": []}
    for _ in range(5):
        before = time.process_time()
        xxhash.xxh3_128_digest(source)
        times["hash"].append(time.process_time() - before)
        before = time.process_time()
        memoryview(target)[:] = source
        times["copy"].append(time.process_time() - before)
    return statistics.median(times["copy"]) / statistics.median(times["hash"])


def median(runs: list[dict[str, Any]], key: str) -> float | None:
    return statistics.median(sum(run[key]) for run in runs) if runs else None


def restored(runs: list[dict[str, Any]], key: str, what: str = "cpu") -> float | None:
    found = [run[key][what] for run in runs if run.get(key) is not None]
    return statistics.median(found) if found else None


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Ours over theirs: below 1 is better."""
    return ours / theirs if ours is not None and theirs else None


# How cells begin that touch nothing large.
_UNTOUCHING = ("counter +=", "total +=", "note =")


def untouched(figures: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, float]:
    """Milliseconds on the wall of a savepoint after a cell that touched nothing large."""
    found = {}
    for session, cells in (("data", data_cells(1, 1)), ("objects", object_cells(1, 1))):
        quiet = [number for number, cell in enumerate(cells) if cell.startswith(_UNTOUCHING)]
        for run in figures.get(session, {}).get("ours", []):
            found[session] = statistics.median(run["wall"][number] for number in quiet) * 1000
    return found


def summary(figures: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    def total(name: str, other: str, figure: Any) -> float | None:
        """The ratio of two sums over the sessions that both of them did whole."""
        both = [(figure(by.get(name, [])), figure(by.get(other, []))) for by in figures.values()]
        both = [(one, two) for one, two in both if one is not None and two is not None]
        return ratio(sum(one for one, _ in both), sum(two for _, two in both)) if both else None

    def cpu(runs: list[dict[str, Any]]) -> float | None:
        return median(runs, "cpu")

    def size(runs: list[dict[str, Any]]) -> float | None:
        return statistics.median(run["disk"] for run in runs) if runs else None

    return {
        "time_vs_kishu": total("ours", "kishu", cpu),
        "time_vs_dill": total("ours", "dill", cpu),
        "time_vs_cloudpickle": total("ours", "cloudpickle", cpu),
        "bytes_vs_kishu": total("ours", "kishu", size),
        "restore_vs_kishu": total("ours", "kishu", lambda runs: restored(runs, "restore")),
        "restore_vs_dill": total("ours", "dill", lambda runs: restored(runs, "restore_fresh")),
        "untouched_ms": untouched(figures),
        "hash_vs_memcpy": hash_vs_memcpy(),
    }


_TITLES = ("cpu s", "wall s", "ms/cell", "median ms", "MB", "restore s", "fresh s")


def show_session(session: str, by_name: dict[str, list[dict[str, Any]]]) -> None:
    print(f"{session:10}{'competitor':14}" + "".join(f"{title:>11}" for title in _TITLES))
    for name, runs in by_name.items():
        if not runs:
            print(f"{'':10}{name:14}{'failed':>11}")
            continue
        cpu, wall = median(runs, "cpu") or 0.0, median(runs, "wall") or 0.0
        figures = [
            *(cpu, wall, cpu / len(runs[0]["cpu"]) * 1000, statistics.median(runs[0]["cpu"]) * 1000),
            statistics.median(run["disk"] for run in runs) / 1e6,
            *(restored(runs, "restore"), restored(runs, "restore_fresh")),
        ]
        print(f"{'':10}{name:14}" + "".join(f"{'-' if f is None else f'{f:.2f}':>11}" for f in figures))
    sys.stdout.flush()


def show_cells(figures: dict[str, dict[str, list[dict[str, Any]]]], options: argparse.Namespace) -> None:
    """What each cell's savepoint took: milliseconds of the processor, kilobytes."""
    for session, by_name in figures.items():
        names = [name for name, runs in by_name.items() if runs]
        print(f"\n{session}: ms and kB per cell\n" + "".join(f"{name:>22}" for name in names))
        for number, cell in enumerate(SESSIONS[session](options.megabytes, options.objects)):
            row = [by_name[name][-1] for name in names]
            figures_of = (
                f"{run['cpu'][number] * 1000:11.1f}{run['bytes'][number] / 1000:11.0f}" for run in row
            )
            print("".join(figures_of), "", cell.splitlines()[0][:60])


def main() -> None:
    parser = argparse.ArgumentParser(description="what a savepoint after each cell costs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--megabytes", type=int, default=500, help="of the data session's variables")
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--session", action="append", choices=list(SESSIONS))
    parser.add_argument("--competitor", action="append", choices=COMPETITORS)
    parser.add_argument("--cells", action="store_true", help="show each cell")
    parser.add_argument("--host", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.host is not None:
        host(options.host)
        return
    figures = measure(environment(), options)
    if options.cells:
        show_cells(figures, options)
    found = summary(figures)
    for key, value in found.items():
        print(f"{key:22}{round(value, 4) if isinstance(value, float) else value}")
    if options.json is not None:
        options.json.write_text(json.dumps({**found, "sessions": figures}, indent=1))


if __name__ == "__main__":
    main()
