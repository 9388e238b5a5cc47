"""What an author can say, with real kernels: each call as it would be written."""

from __future__ import annotations

import asyncio
from textwrap import dedent
from typing import Any

import pytest

from jupyter_flows.model import ExecutionView, Status

from .house import House


def write(house: House, name: str, text: str) -> None:
    (house.root / f"{name}.py").write_text(dedent(text))


def run(house: House, flow: str, inputs: dict[str, Any] | None = None, **options: Any) -> ExecutionView:
    return house.run(flow, inputs, kernel_command=None, **options)


@pytest.mark.parametrize("sleep_max_seconds", [60.0, 0.0], ids=["in place", "from savepoints"])
def test_settings_files_and_flows(house: House, sleep_max_seconds: float) -> None:
    write(
        house,
        "flow",
        """
        '''A flow that looks at everything.'''
        import flow_api

        def handler(system, this):
            counter = system.setting('counter')
            assert not counter.exists()
            try:
                counter.get('value')
            except flow_api.ResourceNotFoundError:
                counter.save(value={'n': 1})
            counter.acquire(timeout=10)
            counter.save(value={'n': counter.get('value')['n'] + 1})
            counter.release()
            this.set_output('counter', counter.get('value'))
            this.set_output('version', counter.get('version'))
            this.set_output('saved_by_me', counter.get('saved_by') == this.id)
            counter.delete()
            this.sleep(0.01)
            try:
                counter.save(value=object())
            except flow_api.InvalidInputError:
                this.log('only JSON')

            report = system.file('report')
            report.save_text_content('Grüße')
            assert report.get_text_content() == 'Grüße'
            report.save_bytes_content(b'\\xff' * 100_000)
            this.sleep(0.01)
            assert report.get_bytes_content() == b'\\xff' * 100_000
            try:
                report.get_text_content()
            except flow_api.InvalidInputError:
                this.log('no text')
            report.save_base64_content('aGFsbG8=')
            assert (report.get_text_content(), report.get_base64_content()) == ('hallo', 'aGFsbG8=')
            report.delete()
            assert not report.exists()

            assert [flow.name for flow in system.flows()] == ['flow']
            assert system.flows(filter={'name': 'x*'}) == []
            assert system.flow('flow').title == 'A flow that looks at everything.'
            text = 'def handler(system, this, inputs):\\n    this.set_output("n", inputs["n"])'
            child = this.script(text, n=3)
            assert child.get('output_value') == {'n': 3}
            other = child.clone(n=4)
            assert other.get('status') == 'PAUSED'
            assert other.run().get('output_value') == {'n': 4}
            ended = {'parent_id': this.id, 'status': 'ENDED_SUCCESS'}
            assert system.executions(filter=ended) == [other, child]
            assert system.executions(
                filter={'field': 'created_at', 'op': 'lt', 'value': child.get('created_at')}
            ) == [this]
            assert child.archive().exists()
            child.delete()
            assert not child.exists()
            assert system.get_own_user().get('name') is None
            other.set(message='kept').save()
            this.set_output('message', other.load('message'))
        """,
    )
    view = run(house, "flow", sleep_max_seconds=sleep_max_seconds)
    assert view.status is Status.ENDED_SUCCESS, view.error
    expected = {"counter": {"n": 2}, "version": 2, "saved_by_me": True, "message": "kept"}
    assert view.output_value == expected
    assert house.texts(view.id) == ["only JSON", "no text"]


def test_a_flow_that_computes_hears_of_its_cancellation(house: House) -> None:
    write(
        house,
        "flow",
        """
        import time

        def handler(system, this):
            this.log('begins')
            try:
                try:
                    time.sleep(3600)
                except BaseException:
                    this.log('never: nothing in a flow catches this')
            finally:
                n = 0
                while n < 100_000:
                    n += 1
                this.log('cleaned')
                this.sleep(0.01)
                this.log(f'up to {n}')
        """,
    )

    async def main() -> None:
        async with house.worker(kernel_command=None, cancel_grace_seconds=120.0, sleep_max_seconds=0.0):
            view = house.engine.start("flow")
            await house.until(view.id, lambda one: house.texts(one.id) == ["begins"])
            house.engine.cancel(view.id)
            ended = await house.until(view.id)
            assert ended.status is Status.ENDED_CANCELLED
            assert house.texts(view.id) == ["begins", "cleaned", "up to 100000"]

    asyncio.run(main())


def test_a_flow_that_does_not_react_is_ended_after_a_while(house: House) -> None:
    write(
        house,
        "flow",
        """
        def handler(system, this):
            try:
                this.log('begins')
                while True:
                    pass
            finally:
                while True:
                    pass
        """,
    )

    async def main() -> None:
        async with house.worker(kernel_command=None, cancel_grace_seconds=0.2):
            view = house.engine.start("flow")
            await house.until(view.id, lambda one: house.texts(one.id) == ["begins"])
            house.engine.cancel(view.id)
            ended = await house.until(view.id)
            assert ended.status is Status.ENDED_CANCELLED
            assert "did not react within 0.2 s" in str(ended.message)

    asyncio.run(main())


def test_a_flow_that_takes_too_much_memory_says_so(house: House) -> None:
    write(
        house,
        "flow",
        """
        jupyter_flows = {'memory_limit': '600 MB', 'retries': 1, 'retry_delay': 0}

        def handler(system, this):
            this.log('begins')
            kept = []
            while True:
                kept.append(b'x' * 10_000_000)
        """,
    )
    view = run(house, "flow")
    assert view.status is Status.ENDED_ERROR
    assert view.error is not None
    assert view.error.type == "KernelDiedError"
    assert view.error.message.startswith("killed: out of memory, peak ")
    assert view.error.message.endswith("(its memory_limit is 600.0 MB)")
    assert house.texts(view.id) == ["begins", "begins"]


def test_a_lock_that_was_waited_for_without_a_kernel_comes_back_as_its_setting(house: House) -> None:
    """What `acquire` returns after a restore is what it returns in place."""
    write(
        house,
        "holder",
        """
        def handler(system, this):
            book = system.setting('book').acquire()
            child = this.flow('waiter', wait=False)
            while child.load('status') != 'WAITING':
                this.sleep(0.05)
            this.sleep(0.3)
            book.save(value=1).release()
            child.wait()
        """,
    )
    write(
        house,
        "waiter",
        """
        def handler(system, this):
            book = system.setting('book').acquire()
            this.sleep(0.01)
            book.save(value=book.get('value') + 1).release()
            assert system.file('f').save_text_content('x').get_text_content() == 'x'
        """,
    )
    view = run(house, "holder", sleep_max_seconds=0.0)
    assert view.status is Status.ENDED_SUCCESS, view
    with house.store.reading() as transaction:
        book = transaction.setting("book")
    assert book is not None
    assert book.value == 2
