"""How many executions may have begun and not ended: of a flow, and of an owner.

A limited execution asks for a permit when it is queued, not when it is claimed: so the claim stays one
statement on one index, however many are held back. It keeps its permit until its end, also while it waits:
what is to be spared (a database, a licence) is in use all that time. Children need no permit of their
owner: a parent that waits for a child would else wait for ever when its owner's permits are used up.
"""

from __future__ import annotations

from ..model import Execution, ExecutionType


def limits_of(execution: Execution) -> tuple[tuple[str, int], ...]:
    """The limits that it falls under, always in the same order: their names, and how many may be at work."""
    options = execution.options
    if execution.type is not ExecutionType.FLOW:
        return ()
    found = []
    if options.max_concurrent is not None and execution.flow is not None:
        found.append((f"flow:{execution.flow}", options.max_concurrent))
    if options.owner_concurrent is not None and execution.owner is not None and execution.parent_id is None:
        found.append((f"owner:{execution.owner}", options.owner_concurrent))
    return tuple(found)
