"""``python -m tests.snapshot.matrix`` writes docs/what-is-kept.md; with ``--check`` it only says if that is due."""

from __future__ import annotations

import sys
from pathlib import Path

from . import Kind, libraries

PAGE = Path(__file__).resolve().parents[3] / "docs" / "what-is-kept.md"
_HEAD = """# What a savepoint keeps, kind by kind

Made from `tests/snapshot/matrix` by `python -m tests.snapshot.matrix`. Each kind was saved in one process and loaded in
another one, where it was compared with the same object made anew; the tests do that at every change.

- **equal**: the same after loading, with everything that is shared inside it: views of memory, cells of closures, positions,
  flags, identities.
- **rebuilt**: made anew from what it was made with (a file opened again at its place, a connection to the same database).
- **named**: a placeholder whose every use raises `SavepointError` with this reason; the savepoint lists it with the path to it,
  as in `state['model'].client._socket: a socket cannot be pickled`. All other objects are as they were.


Beyond kinds, `tests/snapshot/probes` has some hundred small sessions that must go on exactly in a fresh process: shared objects and cells, views
written through either end, globals, callbacks, threads, caches, options, random numbers, deep nesting, bad objects. `python -m benchmarks.probes` runs
them for others too, each probe in processes of its own. Nine of them ask that what cannot be kept is named while all else lives, which only we promise; the other 98:

| | exact |
|---|---|
| savepoints | 98 |
| Kishu 0.3.4, which restores only in the process that ran the cells | 73 |
| `dill.dump_module` 0.4.1 | 58 |
| cloudpickle 3.1.2, one dict of all variables | 48 |

"""


def page() -> str:
    """The whole page."""
    kinds = [kind for library in libraries() for kind in library.kinds]
    counts = {
        outcome: sum(kind.outcome == outcome for kind in kinds) for outcome in ("equal", "rebuilt", "named")
    }
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    parts = [_HEAD, f"{len(kinds)} kinds: {told}.\n"]
    for library in libraries():
        parts.append(f"\n## {library.name}\n\n| kind | becomes |\n|---|---|\n")
        parts += [f"| {_cell(kind.name)} | {_becomes(kind)} |\n" for kind in library.kinds]
    return "".join(parts)


def _becomes(kind: Kind) -> str:
    if kind.outcome != "named" or not kind.reason:
        return kind.outcome
    return f"named: {_cell(kind.reason)}"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("__", "\\_\\_").replace("*", "\\*")


def main() -> int:
    text = page()
    if "--check" in sys.argv[1:]:
        return int(PAGE.read_text(encoding="utf-8") != text)
    PAGE.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
