"""The build hook: makes the front end before a wheel or sdist is packed.

Why not hatch-jupyter-builder: it runs `npm install`, which may change the lock file, where `npm ci` is
meant; its `skip-if-exists` packs a stale build; and it skips the build where there is no `.git`, so a
source archive gives a package without panels. Here a build is skipped only while the hash of its
sources is the one it was made from.

A wheel that is built from our sdist takes the front end that lies in it and needs no Node.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

OLDEST_NODE = 20
NOT_SOURCES = {"node_modules", "lib", "coverage", "test-results", "__pycache__"}


class FrontEnd(BuildHookInterface):  # type: ignore[type-arg]
    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        root = Path(self.root)
        built = root / "jupyter_flows" / "labextension" / "package.json"
        if not (root / "PKG-INFO").exists():
            build(root / "labextension", built)
        if not built.exists():
            raise RuntimeError(f"{built} is missing: this source archive was packed without its front end")


def build(source: Path, built: Path) -> None:
    """Runs `npm ci` and `npm run build:prod` in `source`, each only if its input has changed."""
    modules, state = source / "node_modules", source / "node_modules" / ".jupyter-flows"
    lock_digest = digest([source / "package.json", source / "package-lock.json"])
    source_digest = digest(source_files(source))
    if built.exists() and _said(state / "built") == source_digest:
        return
    npm = find_npm()
    if not modules.is_dir() or _said(state / "installed") != lock_digest:
        subprocess.run([npm, "ci", "--no-audit", "--no-fund"], cwd=source, check=True)
        _say(state / "installed", lock_digest)
    subprocess.run([npm, "run", "build:prod"], cwd=source, check=True)
    _say(state / "built", source_digest)


def find_npm() -> str:
    node, npm = shutil.which("node"), shutil.which("npm")
    advice = f"install Node.js {OLDEST_NODE} or newer with npm, then try again"
    if node is None or npm is None:
        raise RuntimeError(f"the JupyterLab panels are built with Node.js, which was not found: {advice}")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    major = re.match(r"v(\d+)", version)
    if major is None or int(major[1]) < OLDEST_NODE:
        raise RuntimeError(f"Node.js {version} at {node} is too old: {advice}")
    return npm


def source_files(source: Path) -> list[Path]:
    return sorted(
        path
        for path in source.rglob("*")
        if path.is_file() and not NOT_SOURCES.intersection(path.relative_to(source).parts[:-1])
        if path.suffix != ".tsbuildinfo"
    )


def digest(paths: list[Path]) -> str:
    total = hashlib.sha256()
    for path in paths:
        total.update(f"{path.name}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


def _said(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def _say(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def get_build_hook() -> type[BuildHookInterface]:  # type: ignore[type-arg]
    return FrontEnd
