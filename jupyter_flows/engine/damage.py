"""What to offer when a savepoint has lost bytes: the newest one before it that has all of its own."""

from __future__ import annotations

from itertools import islice

from msgspec.structs import replace

from ..errors import EngineException
from ..model import ErrorInfo, SavepointView
from ..store import Store

#: So many savepoints are read through before the search is given up.
_MOST = 100
#: What the error of a savepoint with lost bytes says.
IS_DAMAGED = "the savepoint is damaged"


def with_offer(store: Store, error: ErrorInfo | None) -> ErrorInfo | None:
    """The error of an execution, with the savepoint to restore if it ended for a damaged one.

    Then no code of the flow ran, and the traceback would show ours: it is left out.
    """
    if error is None or error.type != "SavepointError" or IS_DAMAGED not in error.message:
        return error
    savepoint_id = error.ids.get("savepoint_id")
    try:
        whole = newest_whole(store, savepoint_id) if savepoint_id else None
    except EngineException:
        whole = None
    if whole is None:
        return replace(error, traceback="", message=f"{error.message}. No savepoint before it is whole")
    offer = f"The newest whole one before it is number {whole.number}: `jupyter flows restore {whole.id}`"
    return replace(error, traceback="", message=f"{error.message}. {offer}")


def newest_whole(store: Store, savepoint_id: str) -> SavepointView | None:
    """The newest exact savepoint before this one, in its branch, all of whose chunks are as they were."""
    from ..snapshot import Manifest, MemoryChunks, damage

    with store.reading() as transaction:
        for older in islice(transaction.branch(savepoint_id), 1, _MOST + 1):
            found = transaction.savepoint(older.id) if older.draft.exact else None
            if found is None or not found.draft.manifest:
                continue
            chunks = MemoryChunks()
            chunks.kept.update(transaction.read_chunks(found.draft.chunks))
            try:
                if not damage(Manifest.from_bytes(found.draft.manifest), chunks):
                    return found.view()
            except EngineException:
                continue  # its manifest is damaged, or signed with another key
    return None
