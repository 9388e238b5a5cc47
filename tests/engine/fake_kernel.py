"""A kernel that follows a script, for exact tests of the engine.

Speaks the protocol as the real one does, but its flow is a list ``STEPS`` of functions in the flow's
source: each gets the state (a dict) and gives the next Flow-API call, or None. ``FINALLY`` is run when a
life-cycle signal unwinds the flow. The state is the snapshot: JSON in the savepoint's manifest.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from typing import Any

from jupyter_flows import model, protocol

SIGNALS = {
    "ExecutionSuccess": model.Status.ENDED_SUCCESS,
    "ExecutionError": model.Status.ENDED_ERROR,
    "ExecutionCancel": model.Status.ENDED_CANCELLED,
}


def once(path: str) -> bool:
    """True for the first of all processes that asks with this path."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return False
    return True


def die() -> None:
    os.kill(os.getpid(), 9)


class Failed(Exception):
    """The flow's own code failed."""


def fail(message: str) -> None:
    raise Failed(message)


class FakeKernel:
    def __init__(self, path: str, kernel_id: str | None) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.seq = 0
        self.send(protocol.Hello(pid=os.getpid(), python="3", kernel_id=kernel_id))

    def send(self, message: Any) -> None:
        self.socket.sendall(protocol.encode(message))

    def read(self) -> Any:
        message = protocol.read_blocking(self.socket)
        if isinstance(message, protocol.Stop):
            os._exit(0)
        # It never computes: what it is told between its calls, it hears at the next one.
        return self.read() if isinstance(message, protocol.CancelNow) else message

    def ask(self, kind: Any, **fields: Any) -> Any:
        self.seq += 1
        self.send(kind(seq=self.seq, **fields))
        while True:
            answer = self.read()
            if getattr(answer, "seq", None) == self.seq:
                return answer

    def call(self, call: model.Call, state: dict[str, Any], exact: bool = True) -> model.Answer:
        name = call.name if isinstance(call, model.CreateSavepoint) else None
        draft = model.SavepointDraft(
            kind=model.SavepointKind.NAMED if name else model.SavepointKind.IMPLICIT,
            name=name,
            site=model.Site(line=state["index"], source=type(call).__name__),
            manifest=json.dumps(state).encode(),
            chunks=(),
            exact=exact,
            inexact_reason=None if exact else "a test said so",
        )
        answered = self.ask(protocol.CallMade, epoch=self.epoch, call=call, savepoint=draft)
        self.epoch = answered.epoch
        return answered.answer

    def run(self) -> None:
        begin = self.read()
        self.epoch = begin.epoch
        names: dict[str, Any] = {
            "os": os,
            "once": once,
            "die": die,
            "fail": fail,
            "directory": begin.source.directory if begin.source else "",
            "inputs": {key: value.json for key, value in begin.inputs.items()},
            "execution_id": begin.execution_id,
            **vars(model),
        }
        if begin.source:
            exec(begin.source.cells[0].source, names)
        state: dict[str, Any] = {"index": 0, "answers": [], "errors": [], "signal": None}
        resume = begin.resume
        if resume is not None:
            state = json.loads(resume.draft.manifest)
            if resume.answer is not None:
                self.learn(state, resume.answer)
            elif isinstance(resume.call, model.CreateSavepoint):
                self.learn(state, model.Answer())
        self.go_on(names, state)

    def learn(self, state: dict[str, Any], answer: model.Answer) -> None:
        state["index"] += 1
        state["answers"].append([view.id for view in answer.executions])
        state.setdefault("fields", []).append(json.loads(json.dumps(answer.fields, default=str)))
        state["errors"].append(answer.error.type if answer.error else None)
        state.setdefault("messages", []).append(answer.error.message if answer.error else None)
        if answer.error and answer.error.type in SIGNALS:
            state["signal"] = [answer.error.type, answer.error.message]
            state["index"] = 0
        elif answer.error and not names_of_tolerated(answer.error.type):
            state["signal"] = ["ExecutionError", f"{answer.error.type}: {answer.error.message}"]
            state["index"] = 0

    def go_on(self, names: dict[str, Any], state: dict[str, Any]) -> None:
        while True:
            steps = names.get("FINALLY", []) if state["signal"] else names["STEPS"]
            if state["index"] >= len(steps):
                break
            try:
                call = steps[state["index"]](state)
            except Failed as error:
                info = model.ErrorInfo(type="ValueError", message=str(error))
                self.ask(protocol.Ended, epoch=self.epoch, status=model.Status.ENDED_ERROR, error=info)
                return
            if call is None:
                state["index"] += 1
                state["answers"].append([])
                state["errors"].append(None)
                state.setdefault("fields", []).append({})
                state.setdefault("messages", []).append(None)
                continue
            exact = state["index"] not in names.get("INEXACT", ())
            self.learn(state, self.call(call, state, exact))
        status, message = model.Status.ENDED_SUCCESS, None
        if state["signal"]:
            status, message = SIGNALS[state["signal"][0]], state["signal"][1]
        self.ask(protocol.Ended, epoch=self.epoch, status=status, message=message)


TOLERATED: set[str] = {
    "DependencyFailedError",
    "ConflictError",
    "DependencyTimeoutError",
    "InvalidInputError",
    "LockTimeoutError",
    "ResourceNotFoundError",
    "SavepointError",
}


def names_of_tolerated(type_name: str) -> bool:
    return type_name in TOLERATED


def main(socket_path: str, kernel_id: str) -> None:
    FakeKernel(socket_path, kernel_id).run()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
