"""Going on from a savepoint in a flow's new code: which cell is which, and what is moved (`resumable.Move`).

A cell is found again by its id, else by its text, else as the one most like it; what waits in a cell that
is gone is refused when it is moved. Outputs stay with their cells.
"""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .. import model, resumable
from ..errors import SavepointError

#: Below this a cell is another one, not an edited one.
_ALIKE = 0.4


class NewCode:
    """The old and the new cells of a flow.

    Arguments: `old` and `new`, their cells; `transformed`, which gives the Python of a cell's text;
    `name_of`, what tracebacks call the new cell with that index. Raises SavepointError for new code that is
    no Python.
    """

    def __init__(
        self,
        old: Sequence[model.Cell],
        new: Sequence[model.Cell],
        transformed: Callable[[str], str],
        name_of: Callable[[int], str],
    ) -> None:
        self._cells = tuple(new)
        #: The new index of each old cell that is still there.
        self.indexes = _paired(old, new)
        old_digests = _digests(old, transformed)
        self._digests: dict[int, str] = {}
        for index, cell in enumerate(new):
            if cell.kind is model.CellKind.CODE:
                self._digests[index] = _compiled(transformed(cell.source), name_of(index))
        self._old = list(old_digests.values())
        self._modules: Mapping[str, tuple[str, str]] = {}
        self._move = resumable.Move(
            {
                digest: self._digests[self.indexes[index]]
                for index, digest in old_digests.items()
                if self.indexes.get(index) in self._digests
            },
            list(self._digests.values()),
        )

    def add_modules(self, modules: Mapping[str, tuple[str, str]]) -> None:
        """The flow's own modules by name: digests of their units then and now."""
        self._modules = modules
        pairs = dict(modules.values())
        self._move.pairs = {**self._move.pairs, **pairs}
        self._move.alone = frozenset(pairs)

    @property
    def cell_of_unit(self) -> dict[str, int]:
        return {digest: index for index, digest in self._digests.items()}

    def loading(self) -> Any:
        """The context in which the savepoint is to be loaded. Raises resumable.NotResumable at its end."""
        return self._move.active()

    def moved(
        self, continuation: resumable.Continuation, namespace: dict[str, Any], cell: int | None
    ) -> resumable.Continuation:
        """The continuation in the new code, with changed definitions before its place carried out.

        Arguments: `cell`, the new index of the cell that runs, None when all cells are over. Raises
        resumable.NotResumable where it does not fit, SavepointError for a definition that fails.
        """
        moved = self._move.continuation(continuation)
        base = moved.frames[0] if moved.frames else None
        before: dict[str, int | None] = {}
        for index, digest in self._digests.items():
            if "dev" in self._cells[index].tags:
                continue
            if cell is None or index < cell:
                before[digest] = None
            elif base is not None and base.unit == digest and base.place == "<module>":
                before[digest] = base.line
        try:
            for name, (old, new) in self._modules.items():
                if old != new:
                    resumable.redefine(self._move, [old], {new: None}, vars(sys.modules[name]))
            resumable.redefine(self._move, self._old, before, namespace)
        except Exception as error:
            raise SavepointError(
                f"a definition in the new code failed, so nothing was gone on with: {type(error).__name__}: "
                f"{error}. Mend it and restore again"
            ) from error
        return moved

    def outputs(self, state: dict[str, Any]) -> dict[str, Any]:
        """A recorder's state with the outputs at the new places of their cells."""
        return {
            **state,
            "outputs": _moved_keys(state["outputs"], self.indexes),
            "counts": _moved_keys(state["counts"], self.indexes),
            "cell": self.indexes.get(state["cell"], state["cell"]),
        }


def _moved_keys(values: Mapping[int, Any], indexes: Mapping[int, int]) -> dict[int, Any]:
    return {indexes[index]: value for index, value in values.items() if index in indexes}


def _digests(cells: Sequence[model.Cell], transformed: Callable[[str], str]) -> dict[int, str]:
    """The units of the old cells, which are made known: some may not have run yet."""
    found = {}
    for index, cell in enumerate(cells):
        if cell.kind is model.CellKind.CODE:
            source = transformed(cell.source)
            found[index] = resumable.digest_of(source, interactive=True)
            resumable.register_source(found[index], source, f"<cell {index + 1}>", interactive=True)
    return found


def _compiled(source: str, name: str) -> str:
    try:
        return resumable.compile_unit(source, name, interactive=True).digest
    except (SyntaxError, ValueError) as error:
        raise SavepointError(f"the new code cannot be gone on with: {name}: {error}") from error


def _paired(old: Sequence[model.Cell], new: Sequence[model.Cell]) -> dict[int, int]:
    pairs: dict[int, int] = {}
    rules: tuple[Callable[[model.Cell, model.Cell], bool], ...] = (
        lambda one, other: one.id == other.id and not one.id.startswith("cell-"),
        lambda one, other: one.source == other.source,
    )
    for rule in rules:
        for index, cell in enumerate(old):
            free = (at for at in range(len(new)) if at not in pairs.values())
            found = next((at for at in free if index not in pairs and rule(cell, new[at])), None)
            if found is not None:
                pairs[index] = found
    for index, cell in enumerate(old):
        if index not in pairs and (found := _most_alike(cell, new, set(pairs.values()))) is not None:
            pairs[index] = found
    return pairs


def _most_alike(cell: model.Cell, new: Sequence[model.Cell], taken: set[int]) -> int | None:
    ratios = {
        index: difflib.SequenceMatcher(None, cell.source, one.source).ratio()
        for index, one in enumerate(new)
        if index not in taken and one.kind is cell.kind
    }
    best = max(ratios, key=lambda index: ratios[index], default=None)
    return best if best is not None and ratios[best] >= _ALIKE else None
