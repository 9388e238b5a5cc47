"""Small variables that refer to rows of a large group that nobody touched: a stream of their own refers to
the objects of that group by number."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import snapshot
from jupyter_flows.errors import SavepointError
from jupyter_flows.snapshot import grouping, saving, untouched, watching

from .test_watching_fuzz import described, needs_watching

pytest.importorskip("numpy")
pytestmark = needs_watching


class Row:
    """An instance with attributes."""


class _AlwaysQuiet:
    def holds(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _no_other_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test runner's own threads do is no business of these tests."""
    monkeypatch.setattr(saving, "from_now_on", lambda _: _AlwaysQuiet())


class Session:
    def __init__(self) -> None:
        self.variables: dict[str, Any] = {"label": "a"}
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.chunks: Any = snapshot.MemoryChunks()
        self.manifest: snapshot.Manifest | None = None
        self.save()

    def save(self) -> snapshot.Manifest:
        objects = {f"globals/{name}": value for name, value in self.variables.items()}
        self.manifest = snapshot.save(objects, self.chunks, self.namespace, self.manifest)
        return self.manifest

    def beside(self) -> list[tuple[str, ...]]:
        assert self.manifest is not None
        return [group.names for group in self.manifest.body.groups if group.base]

    def load(self) -> dict[str, Any]:
        assert self.manifest is not None
        loaded = snapshot.load(
            snapshot.Manifest.from_bytes(self.manifest.to_bytes()), self.chunks, {"__name__": "__main__"}
        )
        return {name.partition("/")[2]: value for name, value in loaded.items()}


def _rows(count: int = 3000) -> list[Any]:
    return [{"number": number, "tags": [number], "text": f"text {number}"} for number in range(count)]


def test_a_row_of_many_is_that_row_after_a_restore() -> None:
    session = Session()
    session.variables["rows"] = rows = _rows()
    whole = session.save()
    session.variables |= {"row": rows[7], "tags": rows[8]["tags"], "few": [rows[7], {"own": rows[9]}]}
    joined = session.save()
    assert session.beside() == [("globals/row", "globals/tags", "globals/few")]
    assert joined.bytes_new < 2000
    before = {group.names: group.stream for group in whole.body.groups}
    assert before["globals/rows",] in [group.stream for group in joined.body.groups]
    found = session.load()
    assert found == session.variables
    assert found["row"] is found["rows"][7] is found["few"][0]
    assert found["tags"] is found["rows"][8]["tags"]
    assert found["few"][1]["own"] is found["rows"][9]
    session.variables["row"] = rows[11]  # as a loop leaves it
    session.save()
    assert session.load()["row"] is not found["row"]
    assert session.load()["row"]["number"] == 11
    rows[11]["tags"].append("changed")
    session.save()
    found = session.load()
    assert found == session.variables
    assert found["row"] is found["rows"][11]


def test_what_a_lost_group_is_needed_for_is_lost_with_it(tmp_path: Path) -> None:
    session = Session()
    session.chunks = snapshot.DirectoryChunks(tmp_path)
    session.manifest = None
    session.save()
    session.variables["rows"] = rows = _rows()
    session.save()
    session.variables |= {"row": rows[7], "alone": [1]}
    manifest = session.save()
    (base,) = (group for group in manifest.body.groups if group.names == ("globals/rows",))
    next(tmp_path.rglob(base.stream[0][0])).unlink()
    with pytest.raises(SavepointError, match="is missing"):
        snapshot.load(manifest, session.chunks, {}, needs_all=True)
    found = snapshot.load(manifest, session.chunks, {})
    assert found["globals/alone"] == [1]
    with pytest.raises(SavepointError, match="it shares objects with rows, which could not be loaded"):
        print(found["globals/row"]["number"])


def _change(chance: random.Random, variables: dict[str, Any]) -> None:
    rows = variables["rows"]
    row = chance.choice(rows)
    name = f"small{chance.randrange(4)}"
    small = variables.get(name)
    changes: list[Any] = [
        lambda: variables.update({name: row}),
        lambda: variables.update({name: [row, chance.choice(rows), chance.random()]}),
        lambda: variables.update({name: {"of": row["tags"], "other": variables.get("small0")}}),
        lambda: variables.update({name: (row["object"], [f"{chance.random()}" * 500])}),
        lambda: variables.update({name: [[chance.randrange(5)] for _ in range(3)]}),
        lambda: variables.pop(name, None),
        lambda: small.append(chance.choice(rows)) if type(small) is list else None,
        lambda: variables.update({name: rows[:60]}),
    ]
    rare: list[Any] = [
        lambda: row["tags"].append([chance.random()]),
        lambda: row.update(number=chance.random()),
        lambda: rows.append({"number": 0, "tags": [], "object": Row(), "next": row}),
        lambda: rows.pop(chance.randrange(len(rows))) if len(rows) > 50 else None,
        lambda: setattr(row["object"], "other", chance.choice(rows)["tags"]),
        lambda: row.update(small=[small]),
        lambda: variables.update(rows=list(rows)),
    ]
    chance.choice(changes if chance.random() < 0.85 else rare)()


def run_rounds(seed: int, rounds: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """Returns how often something was kept beside an untouched group."""
    for module in (saving, grouping):
        monkeypatch.setattr(module, "MANY_OBJECTS", 60)
    monkeypatch.setattr(watching, "_SHARE_BESIDE", 2)
    chance, session = random.Random(seed), Session()
    rows: list[Any] = [{"number": n, "tags": [n, (n,)], "object": Row(), "next": None} for n in range(120)]
    for row in rows:
        row["object"].of, row["next"] = [f"row {row['number']}"], rows[0]
    session.variables["rows"] = rows
    count = 0
    for number in range(rounds):
        for _ in range(chance.choice([1, 1, 2, 3])):
            _change(chance, session.variables)
        session.save()
        count += len(session.beside())
        found = session.load()
        assert described(found) == described(session.variables)
        if number % 40 == 39:  # what was restored in this process goes on
            session.variables = found
    return count


@pytest.mark.parametrize("seed", range(5))
def test_what_is_loaded_is_what_was_there(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_rounds(seed, 60, monkeypatch)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 160))
def test_thousands_of_rounds(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_rounds(seed, 200, monkeypatch)


def test_something_is_watched_here() -> None:
    assert untouched.watching(is_needed=True) is not None
