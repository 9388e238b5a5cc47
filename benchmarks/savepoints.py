"""What a savepoint after each cell costs: ours, Kishu, dill, cloudpickle.

    python -m benchmarks.savepoints [--json FILE] [--megabytes N] [--objects N] [--repeat N] [--session NAME]

Each competitor runs the same sessions, each in a fresh process with an IPython shell, all in one environment
of its own (made in the user's cache directory at the first run), and makes a savepoint after every cell.
Then a fresh process restores the last one. Competitors take turns; the table has medians over repeats.

- ours: `snapshot.save` with the savepoint before as `previous`, chunks as files; bytes include the manifest.
- Kishu: its own hooks before and after each cell; its checkout, within the process after a cell that deleted
  all variables, since it refuses to in a fresh one (so its libraries need no import, ours do).
- dill, cloudpickle: one file with a dict of all variables that the session made (what `dump_module` does,
  without IPython's own names in it).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = (
    *("kishu", "dill", "cloudpickle", "ipython", "msgspec", "xxhash", "zstandard"),
    *("numpy", "pandas", "scikit-learn", "matplotlib"),
)
COMPETITORS = ("ours", "kishu", "dill", "cloudpickle")

# --- sessions -------------------------------------------------------------------------------------------


def data_cells(megabytes: int, _: int) -> list[str]:
    rows = megabytes * 50_000  # ten columns of eight bytes are half of it, an array the other half
    return [
        "import numpy as np, pandas as pd",
        "rng = np.random.default_rng(1)",
        f"frame = pd.DataFrame({{f'c{{n}}': rng.random({rows // 8}) for n in range(10)}})",
        f"weights = rng.random({megabytes * 1_000_000 // 2 // 8 + 1})",
        "frame['group'] = rng.integers(0, 5, len(frame))",
        "means = frame.groupby('group').mean()",
        "frame['c1'] = frame['c1'] * 2",
        "limit = 0.5",
        "def clip(values): return np.minimum(values, limit)",
        "clipped = clip(frame['c2'].to_numpy())[:1000]",
        "summary = {'mean': float(frame['c1'].mean()), 'rows': len(frame)}",
        "summary['limit'] = limit",
        "frame.loc[5, 'c3'] = -1.0",
        "weights[:10] = 0",
        "history = [summary]",
        "history.append(dict(summary))",
        "from sklearn.linear_model import LinearRegression",
        "sample = frame.sample(5000, random_state=1)",
        "model = LinearRegression().fit(sample[['c1', 'c2']], sample['c4'])",
        "score = model.score(sample[['c1', 'c2']], sample['c4'])",
        "predicted = model.predict(sample[['c1', 'c2']])",
        "sample['predicted'] = predicted",
        "best = sample.nlargest(10, 'predicted')",
        "counter = 0",
        "counter += 1",
        "class Step:\n    def __init__(self, name): self.name = name",
        "steps = [Step(n) for n in 'abc']",
        "steps[0].name = 'first'",
        "frame = frame.rename(columns={'c9': 'last'})",
        "del clipped",
        "top = frame['c0'].iloc[:100]",
        "text = 'report: ' + str(summary)",
        "counter += 1",
    ]


def plot_cells(megabytes: int, _: int) -> list[str]:
    cells = [
        "import numpy as np, matplotlib; matplotlib.use('Agg')",
        "import matplotlib.pyplot as plt",
        f"points = np.random.default_rng(1).random({megabytes * 1_000_000 // 32})",
    ]
    for number in range(8):
        cells += [
            f"figure{number}, axes{number} = plt.subplots(2, 2)",
            f"axes{number}[0, 0].plot(points[:2000]); axes{number}[1, 1].hist(points[:5000], bins=40)",
            f"note = 'figure {number}'",
        ]
    return cells


def object_cells(_: int, objects: int) -> list[str]:
    return [
        "class Customer:\n    def __init__(self, id): self.id, self.name, self.tags = id, f'c{id}', [id % 7]",
        f"customers = [Customer(n) for n in range({objects // 3})]",
        f"index = {{n: {{'id': n, 'score': n / 2}} for n in range({objects // 3})}}",
        "total = 0",
        "total += 1",
        "customers[10].name = 'changed'",
        "index[5]['score'] = 1.0",
        "chosen = customers[:3]",
        "note = 'nothing large is touched'",
        "total += 1",
        "small = {'a': [1, 2, 3]}",
        "small['b'] = 4",
    ]


def text_cells(megabytes: int, _: int) -> list[str]:
    return [
        "import collections, random, re",
        "random.seed(1); vocabulary = [f'word{n}' for n in range(5000)]",
        f"texts = [' '.join(random.choices(vocabulary, k=200)) for _ in range({megabytes * 20})]",
        "counts = collections.Counter(word for text in texts[:2000] for word in text.split())",
        "common = counts.most_common(20)",
        "from sklearn.feature_extraction.text import TfidfVectorizer",
        "vectorizer = TfidfVectorizer(max_features=2000); matrix = vectorizer.fit_transform(texts[:3000])",
        "pattern = re.compile(r'word1\\d*')",
        "found = [len(pattern.findall(text)) for text in texts[:500]]",
        "labels = [n % 3 for n in range(matrix.shape[0])]",
        "from sklearn.naive_bayes import MultinomialNB",
        "model = MultinomialNB().fit(matrix, labels)",
        "accuracy = model.score(matrix, labels)",
        "texts[0] = 'changed'",
        "note = 'done'",
    ]


SESSIONS = {"data": data_cells, "plots": plot_cells, "objects": object_cells, "text": text_cells}

# --- competitors: each runs in a process of its own ------------------------------------------------------


class Ours:
    def __init__(self, shell: Any, where: Path) -> None:
        from jupyter_flows import snapshot

        self.shell, self.snapshot, self.where = shell, snapshot, where
        self.chunks, self.manifest = snapshot.DirectoryChunks(where / "chunks"), None

    def save(self) -> int:
        objects = {f"globals/{name}": value for name, value in variables(self.shell).items()}
        self.manifest = self.snapshot.save(objects, self.chunks, self.shell.user_ns, self.manifest)
        data = self.manifest.to_bytes()
        (self.where / "manifest").write_bytes(data)
        return self.manifest.bytes_new + len(data)

    def restore(self) -> dict[str, Any]:
        manifest = self.snapshot.Manifest.from_bytes((self.where / "manifest").read_bytes())
        found = self.snapshot.load(manifest, self.chunks, self.shell.user_ns)
        return {name.removeprefix("globals/"): value for name, value in found.items()}


class Whole:
    """dill and cloudpickle: everything, each time."""

    def __init__(self, shell: Any, where: Path, module: str) -> None:
        self.shell, self.file = shell, where / "session"
        self.module = __import__(module)

    def save(self) -> int:
        with open(self.file, "wb") as stream:
            self.module.dump(variables(self.shell), stream, protocol=5)
        return self.file.stat().st_size

    def restore(self) -> dict[str, Any]:
        with open(self.file, "rb") as stream:
            found: dict[str, Any] = self.module.load(stream)
        return found


class Kishu:
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
        self.database = where / "notebook.kishudb"
        self.shell, self.notebook = shell, notebook
        self.kishu = KishuForJupyter(NotebookId("session", notebook, "test_kernel_id"), ip=shell)
        self.kishu.set_session_id(1)

    def save(self) -> int:
        raise AssertionError("its hooks save")

    def size(self) -> int:
        return sum(path.stat().st_size for path in self.database.parent.glob("notebook.kishudb*"))

    def restore_after_deletion(self) -> dict[str, Any]:
        """Its full checkout: CPU and wall seconds."""
        target = self.head()
        self.shell.run_cell("del " + ", ".join(variables(self.shell)), store_history=True).raise_error()
        before = time.process_time(), time.perf_counter()
        self.kishu.checkout(target, skip_notebook=True)
        spent = time.process_time() - before[0], time.perf_counter() - before[1]
        return {"cpu": spent[0], "wall": spent[1], "variables": len(variables(self.shell))}

    def head(self) -> str:
        from kishu.storage.branch import KishuBranch

        return str(KishuBranch(self.database).get_head().commit_id)


def variables(shell: Any) -> dict[str, Any]:
    hidden = shell.user_ns_hidden
    return {
        name: value
        for name, value in shell.user_ns.items()
        if not name.startswith("_")
        and not (name in hidden and hidden[name] is value)
        and name not in ("In", "Out", "get_ipython", "exit", "quit", "open")
    }


def new_shell() -> Any:
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    config = Config()
    config.HistoryManager.enabled = False
    shell = InteractiveShell.instance(config=config)
    sys.modules["__main__"] = shell.user_module
    return shell


def competitor(name: str, shell: Any, where: Path) -> Any:
    if name == "ours":
        return Ours(shell, where)
    return Kishu(shell, where) if name == "kishu" else Whole(shell, where, name)


def run_session(name: str, cells: list[str], where: Path) -> dict[str, Any]:
    """CPU and wall seconds and bytes of each savepoint."""
    shell = new_shell()
    subject = competitor(name, shell, where)
    cpu: list[float] = []
    wall: list[float] = []
    sizes: list[int] = []
    if name == "kishu":
        spent = [0.0, 0.0]

        def timed(hook: Any) -> Any:
            def run(argument: Any) -> None:
                before = time.process_time(), time.perf_counter()
                hook(argument)
                spent[0] += time.process_time() - before[0]
                spent[1] += time.perf_counter() - before[1]

            return run

        shell.events.register("pre_run_cell", timed(subject.kishu.pre_run_cell))
        shell.events.register("post_run_cell", timed(subject.kishu.post_run_cell))
    for cell in cells:
        if name == "kishu":
            spent[:], size_before = [0.0, 0.0], subject.size()
        result = shell.run_cell(cell, store_history=name == "kishu", silent=False)
        result.raise_error()
        if name == "kishu":
            cpu.append(spent[0])
            wall.append(spent[1])
            sizes.append(subject.size() - size_before)
        else:
            before = time.process_time(), time.perf_counter()
            sizes.append(subject.save())
            cpu.append(time.process_time() - before[0])
            wall.append(time.perf_counter() - before[1])
    figures: dict[str, Any] = {"cpu": cpu, "wall": wall, "bytes": sizes, "restore": None}
    if name == "kishu":
        try:
            figures["restore"] = subject.restore_after_deletion()
        except Exception as error:
            print(f"the checkout failed: {type(error).__name__}: {error}", file=sys.stderr)
    return figures


def run_restore(name: str, where: Path) -> dict[str, Any]:
    shell = new_shell()
    subject = competitor(name, shell, where)
    before = time.process_time(), time.perf_counter()
    found = subject.restore()
    spent = time.process_time() - before[0], time.perf_counter() - before[1]
    return {"cpu": spent[0], "wall": spent[1], "variables": len(found)}


# --- the run ----------------------------------------------------------------------------------------------


def environment() -> Path:
    """The competitors' environment, made at the first run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    where = cache / "jupyter-flows-benchmarks" / f"savepoints-{sys.version_info[0]}.{sys.version_info[1]}"
    done = where / "complete"
    if not done.exists():
        print(f"making {where} …", flush=True)
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(where)], check=True)
        install = [str(where / "bin" / "python"), "-m", "pip", "install", "--quiet", *PACKAGES]
        subprocess.run(install, check=True)
        done.touch()
    return where / "bin" / "python"


def in_own_process(python: Path, *arguments: str) -> dict[str, Any] | None:
    settings = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JUPYTER_FLOWS_KEY": "benchmark",
        "MPLBACKEND": "Agg",
        "OMP_NUM_THREADS": "1",
    }
    command = [str(python), "-m", "benchmarks.savepoints", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=settings, capture_output=True, text=True)
    for line in reversed(done.stdout.splitlines()):
        if line.startswith("RESULT "):
            found: dict[str, Any] = json.loads(line.removeprefix("RESULT "))
            return found
    print(f"  {' '.join(arguments[:3])} failed: {(done.stderr or done.stdout).strip()[-300:]}", flush=True)
    return None


def measure(python: Path, options: argparse.Namespace) -> dict[str, dict[str, list[dict[str, Any]]]]:
    figures: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for session in options.session or SESSIONS:
        figures[session] = {name: [] for name in COMPETITORS}
        for turn in range(options.repeat):
            order = COMPETITORS if turn % 2 == 0 else COMPETITORS[::-1]
            for name in order:
                with tempfile.TemporaryDirectory(prefix="savepoints-") as where:
                    sizes = [str(options.megabytes), str(options.objects)]
                    saved = in_own_process(python, "--worker", name, session, where, *sizes)
                    if saved is None:
                        continue
                    if name != "kishu":
                        saved["restore"] = in_own_process(python, "--restorer", name, session, where, *sizes)
                    figures[session][name].append(saved)
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


def restore_time(runs: list[dict[str, Any]]) -> float | None:
    found = [run["restore"]["cpu"] for run in runs if run["restore"] is not None]
    return statistics.median(found) if found else None


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Ours over theirs: below 1 is better."""
    return ours / theirs if ours is not None and theirs else None


# How cells begin that touch nothing large.
_UNTOUCHING = ("counter +=", "total +=", "note =")


def summary(figures: dict[str, dict[str, list[dict[str, Any]]]]) -> dict[str, Any]:
    def total(name: str, key: str) -> float | None:
        found = [median(by_name[name], key) for by_name in figures.values()]
        return None if None in found else sum(value for value in found if value is not None)

    def restores(name: str) -> float | None:
        found = [restore_time(by_name[name]) for by_name in figures.values()]
        return None if None in found else sum(value for value in found if value is not None)

    untouched = {}
    for session, cells in (("data", data_cells(1, 1)), ("objects", object_cells(1, 1))):
        for run in figures.get(session, {}).get("ours", []):
            quiet = [
                n for n, cell in enumerate(cells) if cell.startswith(("counter +=", "total +=", "note ="))
            ]
            untouched[session] = statistics.median(run["wall"][n] for n in quiet) * 1000
    return {
        "time_vs_kishu": ratio(total("ours", "cpu"), total("kishu", "cpu")),
        "time_vs_dill": ratio(total("ours", "cpu"), total("dill", "cpu")),
        "time_vs_cloudpickle": ratio(total("ours", "cpu"), total("cloudpickle", "cpu")),
        "bytes_vs_kishu": ratio(total("ours", "bytes"), total("kishu", "bytes")),
        "restore_vs_kishu": ratio(restores("ours"), restores("kishu")),
        "restore_vs_dill": ratio(restores("ours"), restores("dill")),
        "untouched_ms": untouched,
        "hash_vs_memcpy": hash_vs_memcpy(),
    }


def show(figures: dict[str, dict[str, list[dict[str, Any]]]], found: dict[str, Any]) -> None:
    titles = ("cpu s", "wall s", "ms/cell", "MB", "restore s")
    print(f"{'session':10}{'competitor':14}" + "".join(f"{title:>10}" for title in titles))
    for session, by_name in figures.items():
        for name, runs in by_name.items():
            if not runs:
                print(f"{session:10}{name:14}{'failed':>10}")
                continue
            cpu, wall, size = (median(runs, key) or 0 for key in ("cpu", "wall", "bytes"))
            restore = restore_time(runs)
            cell = cpu / len(runs[0]["cpu"]) * 1000
            last = "failed" if restore is None else f"{restore:.2f}"
            print(f"{session:10}{name:14}{cpu:10.2f}{wall:10.2f}{cell:10.1f}{size / 1e6:10.1f}{last:>10}")
    for key, value in found.items():
        print(f"{key:22}{value if not isinstance(value, float) else round(value, 3)}")


def main() -> None:
    parser = argparse.ArgumentParser(description="what a savepoint after each cell costs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--megabytes", type=int, default=500, help="of the data session's variables")
    parser.add_argument("--objects", type=int, default=1_000_000)
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--session", action="append", choices=list(SESSIONS))
    options = parser.parse_args()
    figures = measure(environment(), options)
    found = summary(figures)
    show(figures, found)
    if options.json is not None:
        options.json.write_text(json.dumps({**found, "sessions": figures}, indent=1))


def worker(kind: str, name: str, session: str, where: str, megabytes: str, objects: str) -> None:
    if kind == "--worker":
        result = run_session(name, SESSIONS[session](int(megabytes), int(objects)), Path(where))
    else:
        result = run_restore(name, Path(where))
    print("\nRESULT " + json.dumps(result), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in ("--worker", "--restorer"):
        worker(*sys.argv[1:7])
    else:
        main()
