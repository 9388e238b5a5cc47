"""Where everything durable lies: `open_store(url)` gives a `Store` over SQLite or PostgreSQL."""

from .opening import open_store
from .port import (
    Change,
    ExecutionFilter,
    Held,
    Notice,
    Page,
    Setting,
    Store,
    Transaction,
    TransactionAborted,
    WorkerRecord,
)

__all__ = [
    "Change",
    "ExecutionFilter",
    "Held",
    "Notice",
    "Page",
    "Setting",
    "Store",
    "Transaction",
    "TransactionAborted",
    "WorkerRecord",
    "open_store",
]
