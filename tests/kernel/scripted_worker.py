"""A worker of a few lines for tests of the kernel: savepoints in memory, answers from a script."""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from jupyter_flows import model, protocol

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
Answerer = Callable[[model.Call], model.Answer]


def view(id: str, name: str = "child", status: model.Status = model.Status.ENDED_SUCCESS) -> Any:
    """An execution as the engine would show it."""
    return model.Execution(
        id=id,
        type=model.ExecutionType.FLOW,
        flow=name,
        flow_version="v",
        name=name,
        directory="/",
        status=status,
        created_at=NOW,
        ended_at=NOW if status.is_final else None,
    ).view()


def source(*cells: str, kind: model.FlowKind = model.FlowKind.NOTEBOOK, tags: Any = None) -> model.FlowSource:
    """A flow of code cells; `tags` maps the number of a cell to its tags."""
    return model.FlowSource(
        name="flow",
        path="flow.ipynb",
        directory=tempfile.gettempdir(),
        kind=kind,
        cells=tuple(
            model.Cell(
                id=f"c{index}",
                kind=model.CellKind.CODE,
                source=text,
                tags=tuple((tags or {}).get(index, ())),
            )
            for index, text in enumerate(cells)
        ),
        digest="d",
    )


class Gone(Exception):
    """The kernel's process is gone."""


class ScriptedWorker:
    """Runs kernels, one after another, for one execution.

    `answer` gives the answer to each call; `stop_after` kills the kernel with SIGKILL once that many
    calls were committed in this process. What a kernel committed is in `savepoints`.
    """

    def __init__(self, directory: Path, answer: Answerer | None = None) -> None:
        self.directory = directory
        self.answer = answer or (lambda call: default_answer(call))
        self.savepoints: list[tuple[model.Call, model.SavepointDraft]] = []
        self.chunks: dict[str, bytes] = {}
        self.cells: dict[int, model.CellOutput] = {}
        self.calls: list[model.Call] = []
        self.stderr = ""

    def run(
        self,
        flow: model.FlowSource | None,
        inputs: dict[str, Any] | None = None,
        resume: protocol.Resume | None = None,
        stop_after: int | None = None,
        python: str = sys.executable,
    ) -> protocol.Ended | None:
        """Run a kernel until it reports the end, or None when it was killed."""
        path = tempfile.mkdtemp(prefix="jf") + "/s"
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen()
        command = [python, "-m", "jupyter_flows.kernel", "--socket", path, "--kernel-id", "k"]
        with open(self.directory / "stderr", "w+b") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            listener.settimeout(120)
            try:
                connection, _ = listener.accept()
                connection.settimeout(120)
                hello = self._read(connection)
                assert isinstance(hello, protocol.Hello)
                begin = protocol.Begin(
                    execution_id="e",
                    name="flow",
                    parent_id=None,
                    epoch=1,
                    source=flow,
                    inputs={name: model.Value(json=value) for name, value in (inputs or {}).items()},
                    chunk_directory=None,
                    resume=resume,
                )
                connection.sendall(protocol.encode(begin))
                return self._serve(connection, process, stop_after)
            finally:
                process.kill()
                process.wait()
                log.seek(0)
                self.stderr = log.read().decode()
                listener.close()

    def resume_from(self, number: int, mode: model.ResumeMode) -> protocol.Resume:
        """How to go on from the savepoint with that number, counted from 0."""
        call, draft = self.savepoints[number]
        answer = self.answer(call) if mode is model.ResumeMode.JOIN else None
        return protocol.Resume(savepoint_id=str(number), mode=mode, call=call, draft=draft, answer=answer)

    def shown(self) -> str:
        """All text that the cells showed."""
        texts = []
        for _, cell in sorted(self.cells.items()):
            for output in cell.outputs:
                texts.append(output.get("text") or output.get("data", {}).get("text/plain") or "")
                texts += [output["ename"] + ": " + output["evalue"]] if "ename" in output else []
        return "\n".join(texts)

    def _serve(
        self, connection: socket.socket, process: subprocess.Popen[bytes], stop_after: int | None
    ) -> protocol.Ended | None:
        committed = 0
        while True:
            message = self._read(connection)
            self._keep_cells(message)
            if isinstance(message, protocol.CallMade):
                assert message.savepoint is not None
                self.savepoints.append((message.call, message.savepoint))
                self.calls.append(message.call)
                self.chunks.update(message.chunks)
                committed += 1
                if committed == stop_after:
                    process.kill()
                    process.wait()
                    return None
                reply: Any = protocol.Answered(seq=message.seq, answer=self.answer(message.call), epoch=1)
            elif isinstance(message, protocol.FetchChunks):
                found = {digest: self.chunks[digest] for digest in message.hashes if digest in self.chunks}
                reply = protocol.Chunks(seq=message.seq, chunks=found)
            elif isinstance(message, protocol.Ended):
                connection.sendall(protocol.encode(protocol.Acknowledged(seq=message.seq)))
                if message.may_stay:
                    with contextlib.suppress(Gone):  # it leaves when the flow changed the process
                        assert isinstance(self._read(connection), protocol.Ready)
                        connection.sendall(protocol.encode(protocol.Stop(reason="no more work")))
                process.wait(60)
                return message
            else:
                continue
            connection.sendall(protocol.encode(reply))

    def _keep_cells(self, message: Any) -> None:
        if isinstance(message, protocol.CellsRun) and message.replaces_all:
            self.cells.clear()
        for cell in getattr(message, "cells", ()):
            self.cells[cell.cell] = cell

    def _read(self, connection: socket.socket) -> protocol.KernelMessage:
        (length,) = struct.unpack(">I", self._exactly(connection, 4))
        return msgspec.msgpack.decode(  # type: ignore[no-any-return]
            self._exactly(connection, length), type=protocol.KernelMessage
        )

    def _exactly(self, connection: socket.socket, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = connection.recv(min(1 << 20, count - len(data)))
            if not part:
                raise Gone(self.stderr or (self.directory / "stderr").read_text())
            data += part
        return data


def default_answer(call: model.Call) -> model.Answer:
    """A child ends in success at once; nothing else has anything to say."""
    if isinstance(call, model.StartFlow | model.Connect):
        return model.Answer(executions=(view("child-of-" + (call.name or "e")),))
    return model.Answer()
