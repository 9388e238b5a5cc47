"""Each way in which an answer becomes what a call returns; `Pending` and its savepoint know them by name."""

from __future__ import annotations

import base64
from typing import Any, NoReturn

from .. import model
from ..errors import ExecutionCancel, ExecutionError, ExecutionSuccess, InvalidInputError
from ..model import Status
from .arguments import decoded, typed
from .execution import Execution, handle_of
from .pending import Pending, Subject, add_return
from .views import Flow, Savepoint, User


def _returns_new_handle(_: Pending, __: model.Call, answer: model.Answer) -> Execution:
    return handle_of(answer.executions[0])


def _returns_handles(_: Pending, __: model.Call, answer: model.Answer) -> list[Execution]:
    return [handle_of(view) for view in answer.executions]


def _returns_subject(pending: Pending, _: model.Call, __: model.Answer) -> Subject:
    return pending.subjects[0]


def _returns_nothing(_: Pending, __: model.Call, ___: model.Answer) -> None:
    return None


def _returns_field(pending: Pending, call: model.Call, answer: model.Answer) -> Any:
    return next(iter(_returns_fields(pending, call, answer).values()))


def _returns_fields(_: Pending, call: model.Call, answer: model.Answer) -> dict[str, Any]:
    assert isinstance(call, model.Get)
    found: dict[str, Any] = {}
    for field in call.fields:
        if field in ("output_value", "outputs"):
            found[field] = decoded(answer.outputs or {})
        elif field in ("input_value", "inputs"):
            found[field] = decoded(answer.inputs or {})
        else:
            found[field] = typed(field, answer.fields[field])
    return found


def _returns_savepoints(_: Pending, __: model.Call, answer: model.Answer) -> list[Savepoint]:
    return [Savepoint(view) for view in answer.savepoints]


def _returns_existence(_: Pending, __: model.Call, answer: model.Answer) -> bool:
    return bool(answer.executions)


def _returns_setting(_: Pending, call: model.Call, answer: model.Answer) -> Any:
    assert isinstance(call, model.GetSetting)
    found = {field: typed(field, answer.fields[field]) for field in call.fields}
    return found if len(found) > 1 else next(iter(found.values()))


def _returns_bytes(_: Pending, __: model.Call, answer: model.Answer) -> bytes:
    content = decoded(answer.outputs or {})["content"]
    assert isinstance(content, bytes)
    return content


def _returns_text(pending: Pending, call: model.Call, answer: model.Answer) -> str:
    try:
        return _returns_bytes(pending, call, answer).decode()
    except UnicodeDecodeError:
        assert isinstance(call, model.GetFile)
        raise InvalidInputError(
            f"the file {call.name!r} is no text in UTF-8: take get_bytes_content()", file=call.name
        ) from None


def _returns_base64(pending: Pending, call: model.Call, answer: model.Answer) -> str:
    return base64.b64encode(_returns_bytes(pending, call, answer)).decode()


def _returns_flow(_: Pending, __: model.Call, answer: model.Answer) -> Flow:
    return Flow(answer.flows[0])


def _returns_flows(_: Pending, __: model.Call, answer: model.Answer) -> list[Flow]:
    return [Flow(view) for view in answer.flows]


def _returns_user(_: Pending, __: model.Call, answer: model.Answer) -> User:
    return User(answer.fields["name"])


def _returns_presence(_: Pending, __: model.Call, answer: model.Answer) -> bool:
    return answer.error is None


def _raises_signal(_: Pending, call: model.Call, __: model.Answer) -> NoReturn:
    assert isinstance(call, model.End)
    raise {
        Status.ENDED_SUCCESS: ExecutionSuccess,
        Status.ENDED_ERROR: ExecutionError,
        Status.ENDED_CANCELLED: ExecutionCancel,
    }[call.status](call.message)


def register() -> None:
    """Teach `Pending` all of these."""
    known = {
        "new handle": _returns_new_handle,
        "handles": _returns_handles,
        "subject": _returns_subject,
        "nothing": _returns_nothing,
        "field": _returns_field,
        "fields": _returns_fields,
        "savepoints": _returns_savepoints,
        "existence": _returns_existence,
        "presence": _returns_presence,
        "setting": _returns_setting,
        "bytes": _returns_bytes,
        "text": _returns_text,
        "base64": _returns_base64,
        "flow": _returns_flow,
        "flows": _returns_flows,
        "user": _returns_user,
        "signal": _raises_signal,
    }
    for name, returns in known.items():
        add_return(name, returns)
