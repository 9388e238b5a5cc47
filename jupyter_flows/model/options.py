"""What a flow says of how it wants to be run."""

from __future__ import annotations

import msgspec


class FlowOptions(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Options of a flow, fixed for an execution when it is created.

    `retries`: how often an execution that failed is tried again from its start, after `retry_delay` seconds
    the first time and twice as long each time, an hour at most. `max_runtime` in seconds, from the first
    instruction of a try to its end, waits included. `memory_limit` in bytes, of the kernel's own memory.
    `max_concurrent`: how many executions of the flow may have begun and not ended. `priority`: greater is
    claimed earlier. `sleep_max_seconds`: how long a waiting one keeps its kernel. `savepoint_retention`:
    how many of its newest automatic savepoints are kept (None: all).

    `owner_concurrent` is no flow's own: how many executions its owner may have begun and not ended.
    """

    retries: int = 0
    retry_delay: float = 1.0
    max_runtime: float | None = None
    memory_limit: int | None = None
    max_concurrent: int | None = None
    priority: int = 0
    sleep_max_seconds: float | None = None
    savepoint_retention: int | None = None
    owner_concurrent: int | None = None


NO_OPTIONS = FlowOptions()
