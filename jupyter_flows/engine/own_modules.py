"""Which files beside a flow belong to its version: the modules that it imports, and those they import."""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

_IMPORT = re.compile(r"^\s*(?:from\s+([\w.]+)\s+import|import\s+([\w., ]+))", re.MULTILINE)


def imported_files(folder: Path, sources: Iterable[str]) -> list[Path]:
    """The files of the modules and packages in `folder` that these sources lead to, sorted."""
    waiting = [name for source in sources for name in _names(source)]
    found: set[Path] = set()
    while waiting:
        for file in _files(folder, waiting.pop()):
            if file not in found:
                found.add(file)
                waiting += _names(_text(file))
    return sorted(found)


def digest_with(digest: str, folder: Path, sources: Iterable[str]) -> str:
    """The digest of a flow version together with the modules of its own; the same if it has none."""
    files = imported_files(folder, sources)
    if not files:
        return digest
    whole = hashlib.sha256(digest.encode())
    for file in files:
        content = _text(file).encode(errors="surrogateescape")
        whole.update(f"{file.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        whole.update(content)
    return whole.hexdigest()


@lru_cache(maxsize=256)
def _names(source: str) -> frozenset[str]:
    """The first parts of what a source imports. A cell with magics is read line by line."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        plain = [one for match in _IMPORT.finditer(source) for one in (match[1] or match[2]).split(",")]
        return frozenset(words[0].partition(".")[0] for one in plain if (words := one.split()))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return frozenset(name.partition(".")[0] for name in names)


def _files(folder: Path, name: str) -> list[Path]:
    package = folder / name
    if (package / "__init__.py").is_file():
        return [file for file in package.rglob("*.py") if file.is_file()]
    module = folder / f"{name}.py"
    return [module] if module.is_file() else []


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return ""
