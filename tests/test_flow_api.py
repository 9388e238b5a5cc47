"""The author's API says what is asked, refuses what makes no sense, and hands back what was answered."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from jupyter_flows import errors, flow_api, model
from jupyter_flows.model import ReturnWhen, Status

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def view(id: str, status: Status = Status.ENDED_SUCCESS) -> model.ExecutionView:
    return model.Execution(
        id=id,
        type=model.ExecutionType.FLOW,
        flow="score",
        flow_version="v",
        name="score",
        directory="/",
        status=status,
        created_at=NOW,
        ended_at=NOW if status.is_final else None,
    ).view()


class Script:
    """A runtime that notes the calls and answers what the test put in."""

    execution_id = "me"
    is_saving = False

    def __init__(self) -> None:
        self.calls: list[model.Call] = []
        self.answer = model.Answer()

    def perform(self, _: Callable[..., Any], call: model.Call, pending: flow_api.Pending) -> Any:
        self.calls.append(call)
        # What happens between call and answer may be a week and another process.
        later: flow_api.Pending = pickle.loads(pickle.dumps(pending))
        assert later.returns == pending.returns
        return pending.outcome(call, self.answer)

    def encode(self, value: Any, _: str) -> model.Value:
        return model.Value(json=value)

    def decode(self, value: model.Value) -> Any:
        return value.json


@pytest.fixture
def script() -> Iterator[Script]:
    runtime = Script()
    flow_api.use_runtime(runtime)
    yield runtime
    flow_api.use_runtime(None)


@pytest.fixture
def this() -> flow_api.Execution:
    return flow_api.Execution("me")


def test_a_child_gets_unknown_keywords_as_inputs(script: Script, this: flow_api.Execution) -> None:
    script.answer = model.Answer(executions=(view("c"),))
    child = this.flow("score", inputs={"a": 1}, b=2, name="first", wait=False)
    assert child == flow_api.Execution("c")
    assert script.calls == [
        model.StartFlow(
            flow="score",
            inputs={"a": model.Value(json=1), "b": model.Value(json=2)},
            name="first",
            wait=False,
        )
    ]


def test_wait_takes_a_return_when(script: Script, this: flow_api.Execution) -> None:
    script.answer = model.Answer(executions=(view("c"),))
    this.flow("score", wait=flow_api.System.return_when.ALL_ENDED)
    (call,) = script.calls
    assert isinstance(call, model.StartFlow)
    assert (call.wait, call.return_when) == (True, ReturnWhen.ALL_ENDED)


def test_a_child_that_is_only_created_is_not_waited_for(script: Script, this: flow_api.Execution) -> None:
    script.answer = model.Answer(executions=(view("c", Status.PAUSED),))
    this.flow("score", run=False)
    (call,) = script.calls
    assert isinstance(call, model.StartFlow)
    assert (call.run, call.wait) == (False, False)


def test_the_handle_that_waited_is_the_one_that_comes_back(script: Script) -> None:
    script.answer = model.Answer(executions=(view("c"),))
    child = flow_api.Execution("c")
    assert child.wait() is child
    assert child.run() is child
    assert "ENDED_SUCCESS" in repr(child)


def test_one_field_gives_its_value_and_several_a_dict(script: Script, this: flow_api.Execution) -> None:
    script.answer = model.Answer(
        fields={"status": "RUNNING", "created_at": "2026-01-02T00:00:00Z"},
        outputs={"result": model.Value(json=[1])},
    )
    assert this.get("output_value") == {"result": [1]}
    assert this.get("status") is Status.RUNNING
    assert this.load("created_at", "output_value") == {"created_at": NOW, "output_value": {"result": [1]}}


def test_a_failed_child_raises_with_its_id(script: Script, this: flow_api.Execution) -> None:
    script.answer = model.Answer(
        error=model.ErrorInfo(type="DependencyFailedError", message="score failed", ids={"execution_id": "c"})
    )
    with pytest.raises(flow_api.DependencyFailedError, match="score failed") as caught:
        this.flow("score")
    assert caught.value.execution_id == "c"


def test_set_waits_for_save(script: Script, this: flow_api.Execution) -> None:
    assert this.set(message="half way") is this
    assert script.calls == []
    this.save(output_value={"a": 1})
    assert script.calls == [
        model.Save(execution_id="me", message="half way", outputs={"a": model.Value(json=1)})
    ]
    this.save(name="n")
    assert script.calls[-1] == model.Save(execution_id="me", name="n")


@pytest.mark.parametrize(
    ("end", "signal"),
    [
        (lambda this: this.success("m"), errors.ExecutionSuccess),
        (lambda this: this.error("m"), errors.ExecutionError),
        (lambda this: this.end("ENDED_CANCELLED", "m"), errors.ExecutionCancel),
    ],
)
def test_ending_raises_a_signal_that_is_no_exception(
    script: Script, this: flow_api.Execution, end: Callable[[Any], Any], signal: type[BaseException]
) -> None:
    with pytest.raises(signal) as caught:
        end(this)
    assert not isinstance(caught.value, Exception)
    assert isinstance(script.calls[0], model.End)


def test_whether_an_execution_exists(script: Script) -> None:
    script.answer = model.Answer(error=model.ErrorInfo(type="ResourceNotFoundError", message="no"))
    assert flow_api.Execution("x").exists() is False
    script.answer = model.Answer(executions=(view("x"),))
    assert flow_api.Execution("x").exists() is True


@pytest.mark.parametrize(
    ("wrong", "error", "advice"),
    [
        (lambda this: this.sleep(-1), errors.InvalidInputError, "number of seconds"),
        (lambda this: this.sleep("long"), errors.InvalidInputError, "seconds is a number"),
        (lambda this: this.wait_for([this]), errors.InvalidInputError, "asterisk"),
        (lambda this: this.end("RUNNING"), errors.InvalidInputError, "ENDED_SUCCESS"),
        (lambda this: this.connect(url="x"), errors.MissingInputError, "connector_type"),
        (lambda this: this.log("x", level="loud"), errors.InvalidInputError, "warning"),
        (lambda this: this.get(), errors.MissingInputError, "output_value"),
        (lambda this: this.save(colour="red"), errors.InvalidInputError, "message"),
        (lambda this: this.load_savepoint("x", by="luck"), errors.InvalidInputError, "by 'id' or by 'name'"),
        (lambda this: this.set_output("only a key"), errors.InvalidInputError, "key and its value"),
        (lambda _: flow_api.Execution("c").log("x"), errors.ConflictError, "call it on `this`"),
    ],
)
def test_wrong_calls_say_what_to_do_and_ask_nothing(
    script: Script,
    this: flow_api.Execution,
    wrong: Callable[[Any], Any],
    error: type[Exception],
    advice: str,
) -> None:
    with pytest.raises(error, match=advice):
        wrong(this)
    assert script.calls == []


def test_outside_a_flow_the_error_says_where_flows_run(this: flow_api.Execution) -> None:
    with pytest.raises(errors.InternalError, match="jupyter flows run"):
        this.log("x")


def test_handles_are_equal_and_hashed_by_id() -> None:
    one, two = flow_api.Execution("a"), flow_api.Execution("a")
    assert one == two
    assert len({one, two, flow_api.Execution("b")}) == 2
    assert pickle.loads(pickle.dumps(one)) == one


def test_this_in_its_own_savepoint_is_whatever_execution_goes_on_from_it(
    script: Script, this: flow_api.Execution
) -> None:
    as_a_value = pickle.dumps([this, flow_api.Execution("other")])
    script.is_saving = True
    in_a_savepoint = pickle.dumps([this, flow_api.Execution("other")])
    script.execution_id = "fork"
    assert [handle.id for handle in pickle.loads(in_a_savepoint)] == ["fork", "other"]
    assert [handle.id for handle in pickle.loads(as_a_value)] == ["me", "other"]


@pytest.mark.parametrize(
    "error", [getattr(errors, name) for name in errors.__all__ if name[0].isupper() and "Signal" not in name]
)
def test_every_error_survives_pickling_and_the_wire(error: type[Exception]) -> None:
    made = error("what happened")
    again = pickle.loads(pickle.dumps(made))
    assert (type(again), str(again)) == (error, "what happened")
    assert type(errors.from_parts(*errors.parts(made))) is error


def test_an_error_keeps_its_ids() -> None:
    made = errors.SavepointError("gone", savepoint_id="s", execution_id="e")
    again = pickle.loads(pickle.dumps(made))
    assert (again.savepoint_id, again.execution_id) == ("s", "e")
    with pytest.raises(AttributeError):
        _ = again.nothing_of_the_kind
