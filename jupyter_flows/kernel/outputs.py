"""What the cells of a headless execution print and show, in nbformat's shape.

The recorder is part of the savepoint, so after a restore the executed notebook shows what had been shown at
that point and no more.
"""

from __future__ import annotations

import base64
import io
import threading
from typing import Any

from ..model import CellOutput

Output = dict[str, Any]


class CellRecorder:
    """Collects the outputs of each cell, merges neighbouring stream text, and knows what changed."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._outputs: dict[int, list[Output]] = {}
        self._counts: dict[int, int | None] = {}
        self._displays: dict[str, list[tuple[int, int]]] = {}
        self._changed: set[int] = set()
        self._clear_at_next = False
        self.cell = 0

    def begin_cell(self, cell: int, execution_count: int | None, is_news: bool = True) -> None:
        """Without `is_news` the cell is worth a word only when it shows something."""
        with self._lock:
            self.cell = cell
            self._counts[cell] = execution_count
            self._outputs.pop(cell, None)
            if is_news:
                self._current()

    def stream(self, name: str, text: str) -> None:
        with self._lock:
            self._clear_if_due()
            outputs = self._current()
            last = outputs[-1] if outputs else None
            if last is not None and last["output_type"] == "stream" and last["name"] == name:
                last["text"] = _with_carriage_returns(last["text"] + text)
            else:
                outputs.append({"output_type": "stream", "name": name, "text": _with_carriage_returns(text)})

    def show(self, output: Output, display_id: str | None = None) -> None:
        with self._lock:
            self._clear_if_due()
            outputs = self._current()
            outputs.append(output)
            if display_id is not None:
                self._displays.setdefault(display_id, []).append((self.cell, len(outputs) - 1))

    def update(self, display_id: str, data: dict[str, Any], metadata: dict[str, Any]) -> None:
        with self._lock:
            for cell, index in self._displays.get(display_id, []):
                if index < len(self._outputs.get(cell, [])):
                    self._outputs[cell][index].update(data=data, metadata=metadata)
                    self._changed.add(cell)

    def clear(self, wait: bool = False) -> None:
        with self._lock:
            self._clear_at_next = wait
            if not wait:
                self._current().clear()

    def take_changed(self) -> tuple[CellOutput, ...]:
        """The outputs of each cell that changed since the last time."""
        with self._lock:
            changed, self._changed = sorted(self._changed), set()
            return tuple(self._cell_output(cell) for cell in changed)

    def mark_changed(self, cells: tuple[CellOutput, ...]) -> None:
        """Those were taken but did not arrive."""
        with self._lock:
            self._changed.update(output.cell for output in cells)

    def state(self) -> dict[str, Any]:
        """What a savepoint keeps."""
        with self._lock:
            return {
                "outputs": {cell: [dict(out) for out in outs] for cell, outs in self._outputs.items()},
                "counts": dict(self._counts),
                "cell": self.cell,
            }

    def put_back(self, state: dict[str, Any]) -> tuple[CellOutput, ...]:
        """Return to a saved state; returns all outputs, which replace what the store has."""
        with self._lock:
            self._outputs = {cell: list(outs) for cell, outs in state["outputs"].items()}
            self._counts = dict(state["counts"])
            self.cell = state["cell"]
            self._displays.clear()
            self._changed.clear()
            return tuple(self._cell_output(cell) for cell in sorted(self._outputs))

    def _cell_output(self, cell: int) -> CellOutput:
        return CellOutput(
            cell=cell,
            execution_count=self._counts.get(cell),
            outputs=tuple(dict(output) for output in self._outputs.get(cell, [])),
        )

    def _current(self) -> list[Output]:
        self._changed.add(self.cell)
        return self._outputs.setdefault(self.cell, [])

    def _clear_if_due(self) -> None:
        if self._clear_at_next:
            self._clear_at_next = False
            self._current().clear()


def _with_carriage_returns(text: str) -> str:
    """Progress bars write over their line; keep what would be seen."""
    if "\r" not in text:
        return text
    lines = text.replace("\r\n", "\n").split("\n")
    return "\n".join(line.rstrip("\r").rsplit("\r", 1)[-1] for line in lines[:-1]) + (
        ("\n" if len(lines) > 1 else "") + _unfinished(lines[-1])
    )


def _unfinished(line: str) -> str:
    # A trailing "\r" only moves the cursor: the text stays until something is written over it.
    if line.endswith("\r"):
        return line[:-1].rsplit("\r", 1)[-1] + "\r"
    return line.rsplit("\r", 1)[-1]


def as_text(data: dict[str, Any]) -> dict[str, Any]:
    """MIME data as nbformat keeps it: bytes become base64."""
    return {
        mime: base64.b64encode(value).decode() if isinstance(value, bytes) else value
        for mime, value in data.items()
    }


class RecordedStream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr` of a headless execution."""

    encoding = "utf-8"

    def __init__(self, recorder: CellRecorder, name: str) -> None:
        self._recorder = recorder
        self._name = name

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        if text:
            self._recorder.stream(self._name, text)
        return len(text)

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False
