"""The live table of children that `%flow run` shows in a notebook while they run.

An ipywidgets HTML widget: it is drawn by whatever front end shows the notebook, and stays in the saved
notebook as its last state. A thread asks the worker, not the flow: looking makes no savepoint.
"""

from __future__ import annotations

import html
import threading
from datetime import UTC, datetime
from typing import Any

import msgspec
from IPython.display import display

from .. import model, protocol
from ..errors import EngineException
from .link import Link

#: How often the table is brought up to date, in seconds.
INTERVAL = 0.5

_SYMBOLS = {
    model.Status.QUEUED: "◌",
    model.Status.RUNNING: "▶",
    model.Status.WAITING: "⏳",
    model.Status.PAUSED: "⏸",
    model.Status.ENDED_SUCCESS: "✔",
    model.Status.ENDED_ERROR: "✖",
    model.Status.ENDED_CANCELLED: "⊘",
}


class LiveChildren:
    """Shows the children started since it was made, until all of them have ended or `stop` is called."""

    def __init__(self, link: Link) -> None:
        # Imported late: it costs 0.2 s, and only a person who watches needs it.
        from ipywidgets import HTML

        self._link = link
        self._since = datetime.now(UTC)
        self._widget = HTML()
        self._done = threading.Event()
        self._widget.value = table([])
        display(self._widget)
        self._thread = threading.Thread(target=self._follow, name="flows-live", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show the state of this moment and stop looking."""
        self._done.set()
        self._thread.join(timeout=5)

    def _follow(self) -> None:
        try:
            while True:
                ends = self._done.wait(INTERVAL)
                children = self._children()
                self._widget.value = table(children)
                if ends or (children and all(child.status.is_final for child in children)):
                    return
        except EngineException:
            return  # The worker is gone; the call that the cell waits in says so.

    def _children(self) -> list[model.ExecutionView]:
        answer = self._link.request(
            protocol.Magic(seq=self._link.next_seq(), action="children"), protocol.Acknowledged
        )
        found = msgspec.convert(answer.result or [], list[model.ExecutionView])
        return [child for child in found if child.created_at >= self._since]


def table(children: list[model.ExecutionView]) -> str:
    """Children as an HTML table: symbol and word for the status, name, message, seconds."""
    if not children:
        return "<p>starting …</p>"
    rows = "".join(
        f"<tr><td>{_SYMBOLS[child.status]} {child.status.value}</td><td>{html.escape(child.name)}</td>"
        f"<td>{html.escape(child.message or '')}</td><td>{_seconds(child)}</td></tr>"
        for child in children
    )
    head = "<tr><th>Status</th><th>Name</th><th>Message</th><th>Time</th></tr>"
    return f"<table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _seconds(child: Any) -> str:
    if child.started_at is None:
        return ""
    return f"{((child.ended_at or datetime.now(UTC)) - child.started_at).total_seconds():.1f} s"
