"""Which savepoints an execution needs no more: pure, so that a test can ask it anything.

Kept are all named ones and the newest automatic ones, as many as the flow wants. Whatever else happens, these
stay: where the execution stands; from there back to the newest exact one, since a recovery goes on from that
and joins the calls after it; where it was cancelled; the ends of branches that restores left behind, and the
savepoints where branches part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ..model import Execution, SavepointKind, SavepointView

#: Calls whose effect on the outputs is read from their savepoints: those keep their place, not their state.
_SET_OUTPUTS = frozenset({"set_output", "save"})


class Superseded(NamedTuple):
    """`parents`: for each savepoint to let go, the nearest one before it that stays; `hollow`: those of
    them that stay without their state."""

    parents: dict[str, str | None]
    hollow: frozenset[str]


def superseded(execution: Execution, savepoints: Sequence[SavepointView], keep: int) -> Superseded:
    """What may go of all `savepoints` of an execution when its `keep` newest automatic ones are wanted."""
    stays = _needed(execution, savepoints)
    automatic = sorted(
        (one for one in savepoints if one.kind is not SavepointKind.NAMED), key=lambda one: one.number
    )
    stays |= {one.id for one in automatic[max(len(automatic) - keep, 0) :]}
    goes = [one for one in automatic if one.id not in stays and not _is_hollow(one)]
    hollow = frozenset(one.id for one in goes if one.action in _SET_OUTPUTS)
    removed = {one.id: one.parent_id for one in goes if one.id not in hollow}
    parents: dict[str, str | None] = {}
    for one in goes:  # in order: the parent of a parent is known already
        parent = one.parent_id
        while parent in removed:
            parent = removed[parent]
        parents[one.id] = parent
    return Superseded(parents, hollow)


def _needed(execution: Execution, savepoints: Sequence[SavepointView]) -> set[str]:
    known = {one.id: one for one in savepoints}
    needed = {one.id for one in savepoints if one.kind is SavepointKind.NAMED}
    for start in (execution.savepoint_id, execution.joining, execution.cancel_savepoint_id):
        needed.update(_back_to_exact(start, known))
    children = Counter(one.parent_id for one in savepoints)
    needed.update(one.id for one in savepoints if children[one.id] != 1)
    return needed


def _back_to_exact(start: str | None, known: dict[str, SavepointView]) -> Iterable[str]:
    while start is not None and start in known:
        yield start
        if known[start].exact:
            return
        start = known[start].parent_id


def _is_hollow(one: SavepointView) -> bool:
    return not one.exact and one.bytes_total == 0 and one.action in _SET_OUTPUTS
