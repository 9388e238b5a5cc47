"""One action on many executions: each is done or refused for itself.

Each is a transaction of its own, so that a thousand of them hold nobody up, and that one that is refused
(it has ended already, say) does not take the others back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum

import msgspec

from ..errors import EngineException
from ..model import ErrorInfo
from ..store import ExecutionFilter, Page
from .facts import error_info
from .service import Engine

_PART = 500


class Action(StrEnum):
    CANCEL = "cancel"
    PAUSE = "pause"
    RESUME = "resume"
    AGAIN = "again"
    ARCHIVE = "archive"
    DELETE = "delete"


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    execution_id: str
    error: ErrorInfo


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """Ids of the executions that it was done to, and why not to the others. `started` are new ones."""

    done: list[str] = []
    refused: list[Refusal] = []
    started: list[str] = []


def act_on(engine: Engine, action: Action, execution_ids: Iterable[str], owner: str | None = None) -> Outcome:
    """Do `action` to each of them, in order."""
    act: Callable[[str], object] = {
        Action.CANCEL: engine.cancel,
        Action.PAUSE: engine.pause,
        Action.RESUME: engine.resume,
        Action.AGAIN: lambda execution_id: engine.again(execution_id, owner=owner).id,
        Action.ARCHIVE: engine.archive,
        Action.DELETE: engine.delete,
    }[action]
    outcome = Outcome(done=[], refused=[], started=[])
    for execution_id in dict.fromkeys(execution_ids):
        try:
            result = act(execution_id)
        except EngineException as error:
            outcome.refused.append(Refusal(execution_id=execution_id, error=error_info(error)))
            continue
        outcome.done.append(execution_id)
        if isinstance(result, str):
            outcome.started.append(result)
    return outcome


def _page(engine: Engine, wanted: ExecutionFilter) -> Page:
    return engine.read(lambda transaction: transaction.views(wanted))


def ids_of(engine: Engine, wanted: ExecutionFilter) -> Iterator[str]:
    """The ids of all executions that the filter finds, newest first."""
    cursor: str | None = None
    while True:
        page = _page(engine, msgspec.structs.replace(wanted, limit=_PART, cursor=cursor))
        yield from (view.id for view in page.executions)
        cursor = page.next
        if cursor is None:
            return
