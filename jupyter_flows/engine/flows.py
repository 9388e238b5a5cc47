"""The flows below one directory: which there are, and the source of one of them by name or path.

Nothing is executed. A name is the path below the root without its suffix; a path with its suffix works
too, from the directory of the flow that asks first, then from the root. Nothing else is read, whatever
links say: who may start flows may not thereby read every file of the server. The directory of the flow that
asks may lie elsewhere: workers with different roots share a store, and its code runs here already.
"""

from __future__ import annotations

import difflib
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Lock

import msgspec

from ..errors import ConflictError, InvalidFlowError, ResourceNotFoundError
from ..model import FlowSource, FlowView
from .flow_source import SUFFIXES, defines_handler, source_of, view_of

# Directories of tools and installed packages, next to all hidden ones and virtual environments.
_SKIPPED_DIRECTORIES = frozenset({"node_modules", "site-packages", "__pycache__"})


class FlowLibrary:
    """The flows below `root` (a directory). Safe to use from several threads."""

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = Path(root).expanduser().resolve()
        # Per path below the root: time of change, size, and what was found.
        self._cache: dict[str, tuple[int, int, FlowView | None]] = {}
        self._lock = Lock()

    def flows(self) -> list[FlowView]:
        """All flows below the root, by name. Those that cannot be run come with their `error`.

        A tree that did not change costs one look at each of its files' dates.
        """
        cache: dict[str, tuple[int, int, FlowView | None]] = {}
        with self._lock:
            known = self._cache
        for entry, below_root in _files(str(self.root), ""):
            try:
                facts = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            old = known.get(below_root)
            if old is None or old[:2] != (facts.st_mtime_ns, facts.st_size):
                old = (facts.st_mtime_ns, facts.st_size, view_of(Path(entry.path), below_root))
            cache[below_root] = old
        with self._lock:
            self._cache = cache
        views = sorted(
            (view for _, _, view in cache.values() if view), key=lambda view: (view.name, view.path)
        )
        return _with_conflicts(views)

    def read(self, flow: str, relative_to: str | os.PathLike[str] | None = None) -> FlowSource:
        """The source of one flow.

        Arguments: `flow`, a name or path, with or without suffix; `relative_to`, the directory of the
        flow that asks. Raises ResourceNotFoundError, with the nearest names; ConflictError when a
        notebook and a script share the name; InvalidFlowError when the file cannot be run.
        """
        if not flow.strip() or "\0" in flow:
            raise ResourceNotFoundError(
                "A flow needs a name. Give the path of its file below the root.", flow=flow
            )
        outside = False
        for directory in self._directories(relative_to):
            base = self.root if directory.is_relative_to(self.root) else directory
            found = [path.resolve() for path in _candidates(directory, flow) if _is_file(path)]
            inside = [path for path in found if path.is_relative_to(base) and path.suffix in SUFFIXES]
            outside = outside or len(inside) < len(found)
            if inside:
                path = _only(inside, flow, base)
                return source_of(path, path.relative_to(base).as_posix())
        raise self._not_found(flow, outside)

    def _directories(self, relative_to: str | os.PathLike[str] | None) -> list[Path]:
        near = [] if relative_to is None else [Path(relative_to).resolve()]
        return [directory for directory in near if directory != self.root] + [self.root]

    def _not_found(self, flow: str, outside: bool) -> ResourceNotFoundError | InvalidFlowError:
        if outside:
            return ResourceNotFoundError(
                f"The flow {flow} lies outside of {self.root}. Move it, or start with another root.",
                flow=flow,
            )
        suffix = Path(flow).suffix
        if suffix not in ("", *SUFFIXES) and _is_file(self.root / flow):
            return InvalidFlowError(
                f"{flow} is neither a notebook (.ipynb) nor a Python script (.py), so it is not a flow.",
                flow=flow,
            )
        near = self._nearest(flow)
        hint = f" Did you mean {', '.join(near)}?" if near else ""
        return ResourceNotFoundError(f"There is no flow {flow} below {self.root}.{hint}", flow=flow)

    def _nearest(self, flow: str) -> list[str]:
        wanted = _without_suffix(flow).removeprefix("./")
        names = {view.name: view.name for view in self.flows()}
        # The same name in another directory is the likeliest mistake of all.
        same = [name for name in names if name.rsplit("/", 1)[-1] == wanted.rsplit("/", 1)[-1]]
        close = difflib.get_close_matches(wanted.lower(), [name.lower() for name in names], n=3)
        near = same + [name for name in names if name.lower() in close and name not in same]
        return near[:3]


def _files(directory: str, below_root: str) -> Iterator[tuple[os.DirEntry[str], str]]:
    """The files below a directory that could be flows, and their paths below the root. Follows no links."""
    waiting = [(directory, below_root)]
    while waiting:
        at, prefix = waiting.pop()
        try:
            with os.scandir(at) as listing:
                entries = list(listing)
        except OSError:
            continue
        if prefix and any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if entry.name.startswith(".") or entry.is_symlink():
                continue
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _SKIPPED_DIRECTORIES:
                    waiting.append((entry.path, f"{prefix}{entry.name}/"))
            elif os.path.splitext(entry.name)[1] in SUFFIXES:
                yield entry, prefix + entry.name


def _only(paths: list[Path], flow: str, base: Path) -> Path:
    """The one flow among a notebook and a script of the same name."""
    if len(paths) == 1:
        return paths[0]
    # A script without a handler is a module that lies beside its notebook.
    flows = [path for path in paths if path.suffix != ".py" or defines_handler(path)]
    if len(flows) == 1:
        return flows[0]
    names = " and ".join(path.relative_to(base).as_posix() for path in paths)
    raise ConflictError(f"Two flows are called {flow}: {names}. Name one with its suffix.", flow=flow)


def _candidates(directory: Path, flow: str) -> list[Path]:
    # The suffix is added, not replaced: a name may have dots ("score-v1.2").
    path = directory / flow
    exact = [path] if path.suffix in SUFFIXES else []
    return exact or [path.with_name(path.name + suffix) for suffix in SUFFIXES if path.name]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # the name is too long, say
        return False


def _without_suffix(flow: str) -> str:
    stem, suffix = os.path.splitext(flow)
    return stem if suffix in SUFFIXES else flow


def _with_conflicts(views: list[FlowView]) -> list[FlowView]:
    """Says so where a notebook and a script share a name: each can still be started by its path."""
    counts = Counter(view.name for view in views)
    return [
        msgspec.structs.replace(
            view, error=f"Two flows are called {view.name}: rename one, or start them by their paths."
        )
        if counts[view.name] > 1 and view.error is None
        else view
        for view in views
    ]
