"""The table of docs/architecture.md: who may import whom, and which door leads to which foreign package.

Every import statement counts, those inside functions too: a part that another needs only sometimes is
still a part that it cannot live without. Imports under `if TYPE_CHECKING:` count as well.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "jupyter_flows"

VALUES = {"model", "errors"}
# part -> the parts of ours that it may import
MAY_IMPORT: dict[str, set[str]] = {
    "model": set(),
    "errors": set(),
    "protocol": VALUES,
    "resumable": set(),
    "reducer": set(),
    "snapshot": VALUES | {"resumable", "reducer"},
    "flow_api": VALUES | {"reducer"},
    "kernel": VALUES | {"protocol", "resumable", "snapshot", "flow_api"},
    "store": VALUES,
    "connectors": VALUES,
    "engine": VALUES | {"protocol", "store", "connectors", "snapshot"},
    "server_ext": VALUES | {"engine", "store"},
    "cli": VALUES | {"engine", "store"},
    "testing": VALUES | {"engine", "store", "flow_api"},
    "__init__": {"flow_api", "server_ext"},
}
# The engine speaks to the store through its port, and looks into snapshots only to list variables.
NARROW = {
    ("engine", "store"): {"jupyter_flows.store", "jupyter_flows.store.port"},
    ("server_ext", "store"): {"jupyter_flows.store"},
    ("cli", "store"): {"jupyter_flows.store"},
}
# foreign package -> the modules that may import it (a prefix of the dotted name)
DOORS = {
    "sqlalchemy": ("jupyter_flows.store", "jupyter_flows.connectors.sql"),
    "alembic": ("jupyter_flows.store",),
    "psycopg": ("jupyter_flows.store",),
    "ipykernel": ("jupyter_flows.kernel",),
    "IPython": ("jupyter_flows.kernel",),
    "ipywidgets": ("jupyter_flows.kernel",),
    "jupyter_server": ("jupyter_flows.server_ext",),
    "jupyter_client": ("jupyter_flows.server_ext.provisioner",),
    "tornado": ("jupyter_flows.server_ext", "jupyter_flows.kernel"),
    "httpx": ("jupyter_flows.connectors.rest",),
    "prometheus_client": ("jupyter_flows.engine.metrics",),
    "opentelemetry": ("jupyter_flows.engine.traces",),
    "distributed": ("jupyter_flows.engine.dask_engine",),
    "dill": ("jupyter_flows.snapshot",),
    "cloudpickle": ("jupyter_flows.snapshot",),
}


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "labextension" not in path.parts)


def dotted(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 2 else parts)


def part_of(name: str) -> str:
    """ "jupyter_flows.engine.machine" -> "engine"; the package itself -> "__init__"."""
    return name.split(".")[1] if "." in name else "__init__"


def imported(path: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that a module imports, relative imports resolved."""
    name = dotted(path)
    package = name.split(".") if path.name == "__init__.py" else name.split(".")[:-1]
    if name == "jupyter_flows.__init__":
        package = ["jupyter_flows"]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            source = ".".join([*base, *(node.module.split(".") if node.module else [])])
            if source == "jupyter_flows":  # `from .. import errors` names the part itself
                for alias in node.names:
                    yield node.lineno, f"jupyter_flows.{alias.name}"
            else:
                yield node.lineno, source


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_imports_keep_the_table(path: Path) -> None:
    part = part_of(dotted(path))
    assert part in MAY_IMPORT, f"{part} is not in the table of docs/architecture.md"
    wrong = []
    for line, name in imported(path):
        if not name.startswith("jupyter_flows."):
            continue
        other = part_of(name)
        if not (PACKAGE / other).is_dir() and not (PACKAGE / f"{other}.py").is_file():
            continue  # an attribute of the package, such as its version
        if other != part and other not in MAY_IMPORT[part]:
            wrong.append(f"{path.name}:{line} {part} imports {name}")
        allowed = NARROW.get((part, other))
        if allowed is not None and name not in allowed:
            wrong.append(f"{path.name}:{line} {part} may enter {other} through {sorted(allowed)}, not {name}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("path", modules(), ids=dotted)
def test_each_foreign_package_has_one_door(path: Path) -> None:
    name = dotted(path)
    wrong = [
        f"{path.name}:{line} imports {foreign}; only {', '.join(DOORS[root])} may"
        for line, foreign in imported(path)
        if (root := foreign.split(".")[0]) in DOORS
        and not any(name == door or name.startswith(door + ".") for door in DOORS[root])
    ]
    assert not wrong, "\n".join(wrong)


def test_every_foreign_package_is_a_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = [re.split(r"[\[<>=]", text)[0] for text in project["dependencies"]]
    declared = {name.lower().replace("-", "_") for name in names}
    # Looked at only where a flow has imported them itself.
    of_flows = {"numpy"}
    # Each of an extra, and done without, or clearly missed, where that is not installed.
    of_extras = {"opentelemetry": "opentelemetry", "distributed": "dask"}
    assert set(of_extras.values()) <= set(project["optional-dependencies"])
    wrong = [
        f"{dotted(path)}:{line} {foreign}"
        for path in modules()
        for line, foreign in imported(path)
        if (root := foreign.split(".")[0]) not in sys.stdlib_module_names
        and root not in {"jupyter_flows", *of_flows, *of_extras}
        and root.lower() not in declared
    ]
    assert not wrong, "\n".join(wrong)


def test_resumable_needs_the_standard_library_only() -> None:
    wrong = [
        f"{path.name}:{line} {name}"
        for path in modules()
        if part_of(dotted(path)) == "resumable"
        for line, name in imported(path)
        if name.split(".")[0] not in sys.stdlib_module_names
        and not name.startswith("jupyter_flows.resumable")
    ]
    assert not wrong, "\n".join(wrong)


# nbformat and jsonschema build a parser at import: seconds, for every kernel, worker and command.
@pytest.mark.parametrize(
    "entry",
    [
        "jupyter_flows.flow_api",
        "jupyter_flows.engine.worker",
        "jupyter_flows.cli",
    ],
)
def test_hot_paths_load_no_schema_library(entry: str) -> None:
    code = (
        f"import sys, {entry}\n"
        "print(sorted({'nbformat', 'jsonschema', 'rfc3987_syntax', 'jupyter_events'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == "[]"


def tracked_texts() -> Iterator[tuple[str, str]]:
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if names.returncode != 0:
        pytest.skip("not a git checkout")
    for name in filter(None, names.stdout.split("\0")):
        path = ROOT / name
        if not path.is_file():
            continue
        try:
            yield name, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_no_file_names_a_registry_or_a_place_of_one_machine() -> None:
    hosts = [
        "registry." + "npmjs",
        "pypi." + "org",
        "files.python" + "hosted",
        "registry.yarn" + "pkg",
        "deb." + "debian.org",
    ]
    places = ["/work" + "/main", "/ho" + "me/", "/root" + "/", ".pyenv" + "/"]
    if len(ROOT.parts) > 2:
        places.append(f"{ROOT}/")
    wrong = [
        f"{name}: {word}"
        for name, text in tracked_texts()
        for word in hosts + places
        if word in text and not (word in places and name == "labextension/package-lock.json")
    ]
    assert not wrong, "\n".join(wrong)


def test_lock_file_names_no_host() -> None:
    text = (ROOT / "labextension" / "package-lock.json").read_text(encoding="utf-8")
    assert '"resolved"' not in text
    assert "omit-lockfile-registry-resolved=true" in (ROOT / "labextension" / ".npmrc").read_text()
