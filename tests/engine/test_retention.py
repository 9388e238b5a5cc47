"""Which savepoints may go, decided without a store."""

from __future__ import annotations

from datetime import UTC, datetime

from jupyter_flows.engine.retention import superseded
from jupyter_flows.model import Execution, ExecutionType, SavepointKind, SavepointView, Status

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def execution(**facts: object) -> Execution:
    given = {"id": "e", "type": ExecutionType.FLOW, "flow": "f", "flow_version": "v", "name": "f"}
    rest = {"directory": "/", "status": Status.QUEUED, "created_at": NOON}
    return Execution(**{**given, **rest, **facts})  # type: ignore[arg-type]


def savepoint(
    number: int, parent: int | None = -1, name: str | None = None, exact: bool = True, action: str = "log"
) -> SavepointView:
    before = number - 1 if parent == -1 else parent
    return SavepointView(
        id=f"s{number}",
        execution_id="e",
        parent_id=f"s{before}" if before else None,
        number=number,
        name=name,
        kind=SavepointKind.NAMED if name else SavepointKind.IMPLICIT,
        created_at=NOON,
        action=action,
        last_command="",
        cell=None,
        line=1,
        source="",
        function="",
        exact=exact,
        inexact_reason=None if exact else "a frame of a library",
        bytes_new=0,
        bytes_total=10,
        missing=(),
    )


def test_the_newest_and_the_named_ones_stay() -> None:
    savepoints = [savepoint(number, name="here" if number == 3 else None) for number in range(1, 11)]
    goes = superseded(execution(savepoint_id="s10"), savepoints, 2)
    assert goes.parents == {"s1": None, "s2": None, "s4": "s3", **{f"s{n}": "s3" for n in range(5, 9)}}
    assert goes.hollow == frozenset()


def test_where_it_stands_stays_though_newer_ones_came_before_a_restore() -> None:
    savepoints = [savepoint(number) for number in range(1, 9)]
    goes = superseded(execution(savepoint_id="s3"), savepoints, 1)
    assert "s3" not in goes.parents
    assert set(goes.parents) == {"s1", "s2", "s4", "s5", "s6", "s7"}


def test_the_exact_one_that_a_recovery_needs_and_what_it_joins_stay() -> None:
    savepoints = [savepoint(number, exact=number not in (6, 7, 8)) for number in range(1, 9)]
    goes = superseded(execution(savepoint_id="s8"), savepoints, 1)
    assert set(goes.parents) == {"s1", "s2", "s3", "s4"}
    joining = superseded(execution(savepoint_id="s5", joining="s8"), savepoints, 1)
    assert joining == goes


def test_branches_of_restores_stay() -> None:
    # 1-2-3-4-5, and after a restore to 2: 6-7-8
    savepoints = [savepoint(number) for number in range(1, 6)]
    savepoints += [savepoint(6, parent=2), savepoint(7), savepoint(8)]
    goes = superseded(execution(savepoint_id="s8"), savepoints, 1)
    assert goes.parents == {"s1": None, "s3": "s2", "s4": "s2", "s6": "s2", "s7": "s2"}


def test_calls_that_set_outputs_keep_their_place_without_their_state() -> None:
    savepoints = [savepoint(n, action="set_output" if n == 2 else "log") for n in range(1, 6)]
    goes = superseded(execution(savepoint_id="s5"), savepoints, 1)
    assert goes.hollow == {"s2"}
    assert goes.parents == {"s1": None, "s2": None, "s3": "s2", "s4": "s2"}


def test_nothing_goes_while_there_are_few() -> None:
    assert superseded(execution(savepoint_id="s2"), [savepoint(1), savepoint(2)], 5).parents == {}
