"""A headless execution, in a real process: runs, shows, ends, and goes on from each of its savepoints."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyter_flows import model
from jupyter_flows.model import ResumeMode, SavepointKind, Status

from .scripted_worker import ScriptedWorker, source, view

STORY = """
import flow_api

this_log = this.log

def price(item):
    this_log('asked for', item)
    return len(item) * 10

def handler(system, this_, inputs):
    total = 0
    seen = []
    for index, item in enumerate(inputs['items']):
        try:
            total += price(item) + (this_.flow('child', name=item).get('status') == 'ENDED_SUCCESS')
        finally:
            seen.append((index, item))
        print('done', item)
    this_.create_savepoint('counted')
    this_.set_output('total', total)
    this_.set_output(seen=seen)
    return this_.success(f'total {total}')
"""


def story_answer(call: model.Call) -> model.Answer:
    if isinstance(call, model.StartFlow):
        return model.Answer(executions=(view(f"child-{call.name}"),))
    if isinstance(call, model.Get):
        return model.Answer(fields=dict.fromkeys(call.fields, "ENDED_SUCCESS"))
    return model.Answer()


@pytest.fixture
def worker(tmp_path: Path) -> ScriptedWorker:
    return ScriptedWorker(tmp_path, story_answer)


def test_cells_run_in_order_and_their_outputs_are_kept(worker: ScriptedWorker) -> None:
    ended = worker.run(source("x = 20\nprint('one')", "def f(y):\n    return x + y\nf(1)", "print('three')"))
    assert ended is not None
    assert ended.status is Status.ENDED_SUCCESS, worker.shown()
    assert [worker.cells[cell].outputs[0] for cell in (0, 2)] == [
        {"output_type": "stream", "name": "stdout", "text": "one\n"},
        {"output_type": "stream", "name": "stdout", "text": "three\n"},
    ]
    assert worker.cells[1].outputs[0]["data"] == {"text/plain": "21"}
    assert worker.cells[1].execution_count == 2


def test_cells_tagged_dev_are_left_out_and_parameters_are_default_inputs(worker: ScriptedWorker) -> None:
    flow = source(
        "raise SystemExit('only for people')",
        "region = 'north'\nlimit = 5",
        "print(region, limit, sorted(inputs.items()))",
        tags={0: ["dev"], 1: ["parameters"]},
    )
    ended = worker.run(flow, inputs={"limit": 7})
    assert ended is not None
    assert worker.shown() == "north 7 [('limit', 7), ('region', 'north')]\n"


def test_a_handler_gets_its_inputs_and_its_success_ends_the_execution(worker: ScriptedWorker) -> None:
    ended = worker.run(source(STORY), inputs={"items": ["apple", "fig"]})
    assert ended is not None
    assert (ended.status, ended.message) == (Status.ENDED_SUCCESS, "total 82"), worker.shown()
    assert worker.shown() == "done apple\ndone fig\n"
    # The story logs on the `this` of the namespace: both are the same execution.
    assert [type(call).__name__ for call in worker.calls] == [
        *["Log", "StartFlow", "Get"] * 2,
        *["CreateSavepoint", "SetOutput", "SetOutput", "End"],
    ]


def test_an_error_ends_the_execution_and_shows_the_authors_code(worker: ScriptedWorker) -> None:
    ended = worker.run(
        source("def fail():\n    raise ValueError('no luck')", "print('before')\nfail()", "never")
    )
    assert ended is not None
    assert ended.status is Status.ENDED_ERROR
    assert ended.message == "ValueError: no luck"
    assert ended.error is not None
    assert "raise ValueError('no luck')" in ended.error.traceback
    assert "jupyter_flows" not in ended.error.traceback
    assert '"<flow.ipynb, cell 2>", line 2, in <module>' in ended.error.traceback
    assert worker.cells[1].outputs[-1]["ename"] == "ValueError"
    assert 2 not in worker.cells


@pytest.mark.parametrize(
    ("code", "status", "message"),
    [
        ("this.success('fine')", Status.ENDED_SUCCESS, "fine"),
        ("this.error('bad')", Status.ENDED_ERROR, "bad"),
        ("this.end('ENDED_CANCELLED')", Status.ENDED_CANCELLED, None),
    ],
)
def test_nothing_in_a_flow_catches_its_end(
    worker: ScriptedWorker, code: str, status: Status, message: str | None
) -> None:
    flow = f"""
def handler(system, this):
    try:
        try:
            {code}
        except:
            print('caught')
        except_never = True
    except BaseException as error:
        print('caught', error)
    finally:
        print('tidied up')
    print('went on')
"""
    ended = worker.run(source(flow))
    assert ended is not None
    assert (ended.status, ended.message) == (status, message)
    assert worker.shown() == "tidied up\n"


def test_it_goes_on_in_a_new_process_from_every_savepoint(tmp_path: Path) -> None:
    undisturbed = ScriptedWorker(tmp_path, story_answer)
    whole = undisturbed.run(source(STORY), inputs={"items": ["apple", "fig"]})
    assert whole is not None
    for number in range(len(undisturbed.savepoints)):
        worker = ScriptedWorker(tmp_path, story_answer)
        assert worker.run(source(STORY), {"items": ["apple", "fig"]}, stop_after=number + 1) is None
        ended = worker.run(source(STORY), resume=worker.resume_from(number, ResumeMode.JOIN))
        assert ended is not None
        assert (ended.status, ended.message) == (whole.status, whole.message), worker.shown()
        assert worker.shown() == undisturbed.shown()
        assert worker.calls == undisturbed.calls


ASYNC_CELL = """
import asyncio

async def score(name):
    await asyncio.sleep(0)
    child = this.flow('child', name=name)
    await asyncio.sleep(0)
    return len(name)

first = await score('cell')
print('cell', first)
"""
ASYNC_HANDLER = """
async def handler(system, this, inputs):
    total = first
    for name in inputs['names']:
        total += await score(name)
        print('scored', name)
    this.create_savepoint('scored')
    await asyncio.sleep(0)
    return this.success(f'total {total}')
"""


def test_cells_and_handlers_that_await_go_on_from_every_savepoint(tmp_path: Path) -> None:
    flow = source(ASYNC_CELL, ASYNC_HANDLER)
    undisturbed = ScriptedWorker(tmp_path, story_answer)
    whole = undisturbed.run(flow, inputs={"names": ["ab", "cde"]})
    assert whole is not None
    assert (whole.status, whole.message) == (Status.ENDED_SUCCESS, "total 9"), undisturbed.shown()
    assert [draft.exact for _, draft in undisturbed.savepoints] == [True] * 5
    for number in range(len(undisturbed.savepoints)):
        worker = ScriptedWorker(tmp_path, story_answer)
        assert worker.run(flow, {"names": ["ab", "cde"]}, stop_after=number + 1) is None
        ended = worker.run(flow, resume=worker.resume_from(number, ResumeMode.JOIN))
        assert ended is not None
        assert (ended.status, ended.message) == (whole.status, whole.message), worker.shown()
        assert worker.shown() == undisturbed.shown()
        assert worker.calls == undisturbed.calls


def test_a_restored_call_is_made_again_and_a_named_savepoint_just_returns(worker: ScriptedWorker) -> None:
    worker.run(source(STORY), inputs={"items": ["apple"]})
    named = [
        number for number, (_, draft) in enumerate(worker.savepoints) if draft.kind is SavepointKind.NAMED
    ]
    calls_before = len(worker.calls)
    ended = worker.run(source(STORY), resume=worker.resume_from(named[0], ResumeMode.AGAIN))
    assert ended is not None
    assert ended.message == "total 51", worker.shown()
    assert [type(call).__name__ for call in worker.calls[calls_before:]] == ["SetOutput", "SetOutput", "End"]

    started = next(n for n, (call, _) in enumerate(worker.savepoints) if isinstance(call, model.StartFlow))
    calls_before = len(worker.calls)
    worker.run(source(STORY), resume=worker.resume_from(started, ResumeMode.AGAIN))
    assert isinstance(worker.calls[calls_before], model.StartFlow)


def test_a_savepoint_says_where_it_is(worker: ScriptedWorker) -> None:
    worker.run(source("x = 1", "y = [\n    2,\n    this.log('here'),\n]"))
    site = worker.savepoints[0][1].site
    assert (site.cell, site.line) == (1, 3)
    assert "this.log('here')" in site.source


def test_a_call_below_a_c_function_works_and_says_that_it_is_not_exact(worker: ScriptedWorker) -> None:
    ended = worker.run(source("import re\nre.sub('a', lambda found: (this.log(found), 'b')[1], 'aa')"))
    assert ended is not None
    assert ended.status is Status.ENDED_SUCCESS, worker.shown()
    assert [draft.exact for _, draft in worker.savepoints] == [False, False]
    assert worker.savepoints[0][1].inexact_reason


def test_magics_of_a_cell_are_calls_that_can_be_gone_on_from(tmp_path: Path) -> None:
    flow = source("%flow savepoint here", "x = 5", "print('after', x)")
    worker = ScriptedWorker(tmp_path, story_answer)
    worker.run(flow, stop_after=1)
    draft = worker.savepoints[0][1]
    assert (draft.kind, draft.name, draft.exact) == (SavepointKind.NAMED, "here", True), draft.inexact_reason
    worker.run(flow, resume=worker.resume_from(0, ResumeMode.JOIN))
    assert worker.shown() == "after 5\n"


def test_what_a_restored_cell_shows_last_is_shown(tmp_path: Path) -> None:
    flow = source("print('a')\n(this.log('x'), 40 + 2)[1]")
    worker = ScriptedWorker(tmp_path, story_answer)
    worker.run(flow, stop_after=1)
    worker.run(flow, resume=worker.resume_from(0, ResumeMode.JOIN))
    assert worker.shown() == "a\n\n42"


def test_a_wrong_handler_is_one_clear_error(worker: ScriptedWorker) -> None:
    ended = worker.run(source("def handler(system):\n    pass"))
    assert ended is not None
    assert ended.message is not None
    assert ended.message.startswith("InvalidFlowError: handler takes (system, this)")


def test_a_call_that_raises_is_shown_at_the_authors_line(tmp_path: Path) -> None:
    refused = model.Answer(error=model.ErrorInfo(type="ResourceNotFoundError", message="no such flow"))
    worker = ScriptedWorker(tmp_path, lambda _: refused)
    ended = worker.run(source("def start():\n    this.flow('nowhere')", "start()"))
    assert ended is not None
    assert ended.error is not None
    # Python 3.13 puts a line of ~~~^^^ below the author's.
    lines = [line for line in ended.error.traceback.splitlines() if line.strip(" ~^")]
    assert lines[-2:] == [
        "    this.flow('nowhere')",
        "jupyter_flows.errors.ResourceNotFoundError: no such flow",
    ]
