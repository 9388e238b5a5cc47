"""What stands behind the Flow API in a kernel: a savepoint for each call, and the way back from one.

One savepoint holds, in a single snapshot so that all sharing survives: the namespace (``globals/…``), the
variables of each frame (``0 handler/…``), and in the hidden scope ``state`` the continuation, what becomes of
the call's answer, how far the runner is, and the outputs so far.
"""

from __future__ import annotations

import contextlib
import inspect
import sys
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from .. import flow_api, model, protocol, resumable, snapshot
from ..errors import SavepointError
from .cancellation import Cancellation
from .chunks import KernelChunks
from .link import Link
from .new_code import NewCode
from .outputs import CellRecorder
from .own_modules import KernelModules
from .shell import UnitShellMixin

_GLOBALS = "globals/"
_STATE = "state/"
#: Made anew for each savepoint, of nothing that a variable could hold.
_PRIVATE = frozenset(_STATE + name for name in ("process", "progress", "recorder", "pending"))


@dataclass
class Progress:
    """How far the runner is: kept in every savepoint.

    `phase` is "cells" or "handler"; `cell` counts all cells from 0; `cell_of_unit` tells for each unit
    (by digest) which cell it came from.
    """

    phase: str = "cells"
    cell: int = 0
    cell_of_unit: dict[str, int] = field(default_factory=dict)


@dataclass
class Restored:
    """A savepoint that was loaded: the frames to go on with and what their call returns or raises.

    `is_changed`: it goes on in other code, or with other values, than were saved.
    """

    continuation: resumable.Continuation | None
    pending: flow_api.Pending
    call: model.Call
    is_changed: bool = False


class FlowRuntime:
    """Implements `flow_api.Runtime` for the execution that `begin` describes.

    `before`: that of another execution of the same flow version and owner that ended well in this kernel.
    What both have alike (sources, functions, constants) is kept once: the first savepoint refers to it.
    """

    def __init__(
        self,
        link: Link,
        begin: protocol.Begin,
        shell: UnitShellMixin,
        recorder: CellRecorder | None,
        modules: KernelModules,
        before: FlowRuntime | None = None,
    ) -> None:
        self.progress = Progress()
        self.is_saving = False
        self._link = link
        self._begin = begin
        self._epoch = begin.epoch
        self._shell = shell
        self._recorder = recorder
        chunks_before = before._chunks if before is not None else None
        self._chunks: KernelChunks = KernelChunks(link, begin.chunk_directory, chunks_before)
        self.cancellation = Cancellation(begin.execution_id, begin.was_told)
        self._modules = modules
        self._previous: snapshot.Manifest | None = None
        self._inherited = before._previous if before is not None else None
        self._one_at_a_time = threading.RLock()
        link.may_go_on = begin.may_go_on

    # --- the Flow API's side ---------------------------------------------------------------------

    @property
    def execution_id(self) -> str:
        return self._begin.execution_id

    @property
    def this(self) -> flow_api.Execution:
        return flow_api.Execution(self.execution_id)

    def perform(self, callee: Callable[..., Any], call: model.Call, pending: flow_api.Pending) -> Any:
        """Make a call from flow code: savepoint and effect are committed together, then it returns."""
        with self._one_at_a_time, self.cancellation.put_off(), resumable.room():
            frame = _flow_frame(sys._getframe(1))
            continuation = resumable.capture(frame, callee)
            answer = self._make(call, self._draft(call, continuation, pending))
            self.cancellation.heard(answer)
        return pending.outcome(call, answer)

    def encode(self, value: Any, name: str) -> model.Value:
        return snapshot.encode_value(value, self._chunks, name=name)

    def decode(self, value: model.Value) -> Any:
        if not value.is_json:
            self._chunks.fetch(value.chunks)
        return snapshot.decode_value(value, self._chunks)

    # --- savepoints ------------------------------------------------------------------------------

    def save_cell(self, cell: int, source: str) -> None:
        """The savepoint after a cell that a person ran: the namespace, and no frames."""
        call = model.CellFinished(cell=cell)
        site = model.Site(cell=cell, line=1, source=_first_line(source))
        with self._one_at_a_time:
            self._make(call, self._draft(call, None, flow_api.Pending("nothing"), site))

    def _draft(
        self,
        call: model.Call,
        continuation: resumable.Continuation | None,
        pending: flow_api.Pending,
        site: model.Site | None = None,
    ) -> model.SavepointDraft:
        objects: dict[str, Any] = {
            _GLOBALS + name: value for name, value in self._shell.flow_variables().items()
        }
        objects[_STATE + "pending"] = pending
        objects[_STATE + "progress"] = self.progress
        objects[_STATE + "process"] = snapshot.ProcessState.now()
        if own_modules := self._modules.state():
            objects[_STATE + "modules"] = own_modules
            objects |= self._modules.variables()
        if self._recorder is not None:
            objects[_STATE + "recorder"] = self._recorder.state()
        inexact_reason = None
        if continuation is not None:
            inexact_reason = continuation.inexact_reason
            objects |= continuation.locals()
            objects[_STATE + "continuation"] = continuation
        inherited, self._inherited = self._inherited, None
        if self._previous is None and inherited is not None and all(map(self._chunks.has, inherited.chunks)):
            self._previous = inherited
        self.is_saving = True
        try:
            manifest = snapshot.save(
                objects,
                self._chunks,
                namespace=self._namespace,
                previous=self._previous,
                private=_PRIVATE,
            )
        finally:
            self.is_saving = False
        self._previous = manifest
        name = call.name if isinstance(call, model.CreateSavepoint) else None
        return model.SavepointDraft(
            kind=_kind(call, name),
            name=name,
            site=site or self._site(continuation),
            manifest=manifest.to_bytes(),
            chunks=manifest.chunks,
            exact=inexact_reason is None,
            inexact_reason=inexact_reason,
            bytes_new=manifest.bytes_new,
            bytes_total=manifest.bytes_total,
            missing=manifest.missing,
            flow_version=self._begin.source.digest if self._begin.source is not None else None,
        )

    @property
    def _namespace(self) -> dict[str, Any]:
        namespace: dict[str, Any] = self._shell.user_ns  # type: ignore[attr-defined]
        return namespace

    def _site(self, continuation: resumable.Continuation | None) -> model.Site:
        if continuation is None:
            return model.Site()
        site = continuation.site
        is_notebook = self._begin.source is None or self._begin.source.kind is model.FlowKind.NOTEBOOK
        cell = self.progress.cell_of_unit.get(site.unit, self.progress.cell)
        return model.Site(
            cell=cell if is_notebook else None,
            line=site.line,
            source=site.source,
            function=site.function,
        )

    def _make(self, call: model.Call, draft: model.SavepointDraft) -> model.Answer:
        """Have the worker commit the call with its savepoint, and wait until it is over."""
        cells = self._recorder.take_changed() if self._recorder is not None else ()
        unsent = self._chunks.take_unsent()
        message = protocol.CallMade(
            seq=self._link.next_seq(),
            epoch=self._epoch,
            call=call,
            savepoint=draft,
            chunks=unsent,
            cells=cells,
            was_told=self.cancellation.was_told,
        )
        is_free = self._link.may_go_on and draft.exact and not self.cancellation.was_told
        known = self._known_answer(call) if is_free else None
        if known is not None:
            self._link.send_ahead(msgspec.structs.replace(message, goes_on=True))
            self._chunks.assume_stored(draft.chunks)  # they are before whatever is sent later
            return known
        try:
            answered = self._link.request(message, protocol.Answered)
        except BaseException:
            # An interrupt while waiting: it may be committed or not; sending it once more does no harm.
            self._chunks.put_back(unsent)
            if self._recorder is not None:
                self._recorder.mark_changed(cells)
            raise
        self._epoch = answered.epoch
        self._link.may_go_on = answered.may_go_on
        self._chunks.assume_stored(draft.chunks)
        return answered.answer

    def _known_answer(self, call: model.Call) -> model.Answer | None:
        """The call's answer if it is the same whatever becomes of it: then the flow need not wait for it."""
        if isinstance(call, model.End):
            return model.Answer(error=call.signal)
        is_own = isinstance(call, model.Save) and call.execution_id == self.execution_id
        return model.Answer() if is_own or isinstance(call, model.SetOutput | model.Log) else None

    # --- going on from a savepoint ---------------------------------------------------------------

    def load(self, resume: protocol.Resume, new_code: NewCode | None = None) -> Restored:
        """Put namespace, progress and outputs back, and go over to `new_code` if it is given.

        Raises SavepointError if that cannot be done exactly.
        """
        draft = resume.draft
        if not draft.exact:
            raise SavepointError(
                f"nothing can go on from this savepoint: {draft.inexact_reason}",
                savepoint_id=resume.savepoint_id,
            )
        self._chunks.take_in(resume.chunks)
        self._chunks.fetch(draft.chunks)
        manifest = snapshot.Manifest.from_bytes(draft.manifest)
        try:
            with new_code.loading() if new_code is not None else contextlib.nullcontext():
                objects = self._loaded(manifest, new_code)
            self._chunks.forget_fetched()
            self._chunks.assume_stored(draft.chunks)
            self._previous = manifest
            continuation = self._put_back(objects, new_code)
        except (resumable.NotResumable, SavepointError) as error:
            raise SavepointError(str(error), savepoint_id=resume.savepoint_id) from None
        self._change_inputs({name: self.decode(value) for name, value in draft.inputs.items()})
        values = {name: self.decode(value) for name, value in draft.changes.items()}
        apply_changes(values, continuation, self._namespace)
        is_changed = new_code is not None or bool(draft.changes) or bool(draft.inputs)
        return Restored(continuation, objects[_STATE + "pending"], resume.call, is_changed)

    def _loaded(self, manifest: snapshot.Manifest, new_code: NewCode | None) -> dict[str, Any]:
        return snapshot.load(
            manifest,
            self._chunks,
            namespace=self._namespace,
            first=_STATE + "modules",
            prepare=lambda modules: self._modules.revive(modules, new_code),
            needs_all=True,
        )

    def sources_of(self, resume: protocol.Resume) -> list[str]:
        """The sources of all cells whose code a savepoint refers to; they are known from then on."""
        self._chunks.fetch(resume.draft.chunks)
        manifest = snapshot.Manifest.from_bytes(resume.draft.manifest)
        objects = self._loaded(manifest, None)
        continuation = objects.get(_STATE + "continuation")
        digests = {unit.digest for unit in manifest.body.units}
        digests |= continuation.units if continuation is not None else set()
        return [resumable.unit_source(digest).source for digest in sorted(digests)]

    def _put_back(self, objects: dict[str, Any], new_code: NewCode | None) -> resumable.Continuation | None:
        variables = {
            name.removeprefix(_GLOBALS): value for name, value in objects.items() if name.startswith(_GLOBALS)
        }
        self._shell.replace_flow_variables(variables)
        self._modules.put_back(objects)
        continuation: resumable.Continuation | None = objects.get(_STATE + "continuation")
        if continuation is not None:
            continuation = continuation.with_locals(objects)
        self.progress = objects[_STATE + "progress"]
        recorded = objects.get(_STATE + "recorder")
        objects[_STATE + "process"].put_back()
        if new_code is not None:
            running = self._count_again(new_code)
            if continuation is not None:
                continuation = new_code.moved(continuation, self._namespace, running)
            recorded = new_code.outputs(recorded) if recorded is not None else None
        if self._recorder is not None and recorded is not None:
            cells = self._recorder.put_back(recorded)
            if cells != self._begin.cells:
                self._link.send(protocol.CellsRun(epoch=self._epoch, cells=cells, replaces_all=True))
        return continuation

    def _change_inputs(self, values: dict[str, Any]) -> None:
        """Other inputs: in the dict that the flow has, and in the variables that a `parameters` cell made."""
        inputs = self._namespace.get("inputs")
        if isinstance(inputs, dict):
            inputs.update(values)
        cells = self._begin.source.cells if self._begin.source is not None else ()
        if any("parameters" in cell.tags for cell in cells):
            self._namespace.update({name: value for name, value in values.items() if name in self._namespace})

    def _count_again(self, new_code: NewCode) -> int | None:
        """Count the cells as the new code does; returns the one that runs, None when all are over."""
        progress = self.progress
        if self._begin.source is None:  # a notebook's cells are run by hand, the changed ones too
            return 0
        progress.cell = new_code.indexes.get(progress.cell, progress.cell)
        progress.cell_of_unit = new_code.cell_of_unit
        return progress.cell if progress.phase == "cells" else None

    def go_on(self, resume: protocol.Resume, restored: Restored) -> Any:
        """Complete the call that the savepoint was made for, then run its frames to the end of the base."""
        if restored.continuation is None:
            return None
        try:
            answer = resume.answer
            with self.cancellation.put_off():
                if answer is None:
                    answer = self._call_again(resume, restored)
                self.cancellation.heard(answer)
            value = restored.pending.outcome(restored.call, answer)
        except BaseException as error:
            return self._resume(restored, error=error)
        return self._resume(restored, value=value)

    def _resume(self, restored: Restored, **outcome: Any) -> Any:
        continuation, restored.continuation = restored.continuation, None
        assert continuation is not None
        try:
            # No other reference is left: the variables live as long as the flow keeps them.
            result = continuation.resume(namespace=self._namespace, **outcome)
        except (resumable.NotResumable, resumable.UnknownUnit) as error:
            raise SavepointError(f"nothing can go on from this savepoint: {error}") from error
        return resumable.finish_coroutine(result) if inspect.iscoroutine(result) else result

    def _call_again(self, resume: protocol.Resume, restored: Restored) -> model.Answer:
        if restored.is_changed:
            # The state is not the one that was saved: from now on it goes on from this one.
            draft = self._draft(resume.call, restored.continuation, restored.pending)
            return self._make(resume.call, draft)
        if isinstance(resume.call, model.CreateSavepoint | model.CellFinished):
            return model.Answer()
        draft = resume.draft
        again = model.SavepointDraft(
            kind=model.SavepointKind.IMPLICIT,
            site=draft.site,
            manifest=draft.manifest,
            chunks=draft.chunks,
            bytes_total=draft.bytes_total,
            missing=draft.missing,
            flow_version=draft.flow_version,
        )
        return self._make(resume.call, again)

    def end(
        self,
        status: model.Status,
        message: str | None,
        error: model.ErrorInfo | None,
        may_stay: bool,
        meanwhile: Callable[[], None],
    ) -> protocol.Acknowledged:
        """Report that the flow's code is through; `meanwhile` is done while that is committed."""
        ended = protocol.Ended(
            seq=self._link.next_seq(),
            epoch=self._epoch,
            status=status,
            message=message,
            error=error,
            cells=self._recorder.take_changed() if self._recorder is not None else (),
            may_stay=may_stay,
        )
        return self._link.request(ended, protocol.Acknowledged, meanwhile)

    def send_outputs(self) -> None:
        """Send what the cells printed since the last message, so that people see it while it runs."""
        if self._recorder is None:
            return
        cells = self._recorder.take_changed()
        if cells:
            self._link.send(protocol.CellsRun(epoch=self._epoch, cells=cells))


def apply_changes(
    values: dict[str, Any], continuation: resumable.Continuation | None, namespace: dict[str, Any]
) -> None:
    """Give variables other values: those of the outermost function if it has them, else of the namespace."""
    is_local = continuation.set_variable if continuation is not None else lambda *_: False
    namespace.update({name: value for name, value in values.items() if not is_local(name, value)})


def _kind(call: model.Call, name: str | None) -> model.SavepointKind:
    if name is not None:
        return model.SavepointKind.NAMED
    if isinstance(call, model.CellFinished):
        return model.SavepointKind.CELL
    return model.SavepointKind.IMPLICIT


def _flow_frame(frame: types.FrameType | None) -> types.FrameType:
    """The nearest frame that is not of this package: the flow's, or whatever it lets call us."""
    package = __name__.partition(".")[0] + "."
    while frame is not None and frame.f_globals.get("__name__", "").startswith(package):
        frame = frame.f_back
    assert frame is not None
    return frame


def _first_line(source: str) -> str:
    return next((line.strip() for line in source.splitlines() if line.strip()), "")
