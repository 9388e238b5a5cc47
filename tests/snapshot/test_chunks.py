"""Bytes: what is stored once, what is refused, what is named when it is damaged."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from jupyter_flows import snapshot
from jupyter_flows.errors import SavepointError

from .conftest import Session


def test_what_did_not_change_costs_nothing(session: Session) -> None:
    session.run("rows = list(range(10_000)); text = 'x' * 1_000_000; small = 1; shared = [rows]")
    first = session.save()
    again = session.save()
    assert first.bytes_new > 0
    assert again.bytes_new == 0
    assert again.bytes_total == first.bytes_total
    session.run("small = 2")
    assert session.save().bytes_new < 100


def test_a_restored_session_goes_on_without_new_bytes(session: Session) -> None:
    session.run("rows = [{'a': n} for n in range(100)]; same = rows; value = 5")
    session.save()
    assert session.load().save().bytes_new == 0


def test_many_small_changes_do_not_pile_up_packs(session: Session) -> None:
    session.run("values = {n: [n] for n in range(3)}; counter = 0")
    for _ in range(100):
        session.run("counter += 1; globals()[f'value{counter % 40}'] = [counter]")
        manifest = session.save()
    assert len(manifest.chunks) < 40
    assert session.load()["counter"] == 100


def test_a_wrong_signature_is_refused(session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    session.run("value = 1")
    data = session.save().to_bytes()
    for position in (0, 5, 20, len(data) - 1):
        damaged = bytearray(data)
        damaged[position] ^= 1
        with pytest.raises(SavepointError):
            snapshot.Manifest.from_bytes(bytes(damaged))
    with pytest.raises(SavepointError, match="cut off"):
        snapshot.Manifest.from_bytes(data[:20])
    monkeypatch.setenv("JUPYTER_FLOWS_KEY", "another")
    with pytest.raises(SavepointError, match="signature"):
        snapshot.Manifest.from_bytes(data)


def test_a_newer_format_is_refused(session: Session) -> None:
    data = bytearray(session.save().to_bytes())
    data[4] = 99
    with pytest.raises(SavepointError, match="format 99"):
        snapshot.Manifest.from_bytes(bytes(data))


def test_the_key_is_the_owners_alone(session: Session, tmp_path: Path) -> None:
    session.save().to_bytes()
    key = tmp_path / "jupyter-data" / "jupyter_flows" / "savepoint.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_key_that_others_can_read_is_closed_to_them(session: Session, tmp_path: Path) -> None:
    from jupyter_flows.snapshot import signing

    data = session.save().to_bytes()
    key = tmp_path / "jupyter-data" / "jupyter_flows" / "savepoint.key"
    key.chmod(0o644)
    signing._key.cache_clear()  # as in a new process
    assert snapshot.Manifest.from_bytes(data).names == ()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_a_key_that_was_lost_cut_off_or_exchanged(session: Session, tmp_path: Path) -> None:
    from jupyter_flows.snapshot import signing

    session.run("value = 1")
    data = session.save().to_bytes()
    key = tmp_path / "jupyter-data" / "jupyter_flows" / "savepoint.key"
    content = key.read_bytes()
    key.write_bytes(content[:5])
    signing._key.cache_clear()
    with pytest.raises(SavepointError, match="is no key: restore it from a backup"):
        snapshot.Manifest.from_bytes(data)
    key.unlink()  # a new one is made, which old savepoints do not fit
    signing._key.cache_clear()
    with pytest.raises(SavepointError, match="made with another key"):
        snapshot.Manifest.from_bytes(data)
    key.write_bytes(content)
    signing._key.cache_clear()
    assert snapshot.Manifest.from_bytes(data).names == ("globals/value",)


def test_a_damaged_or_missing_chunk_is_named_and_costs_only_its_group(session: Session) -> None:
    session.run("import random; text = random.Random(1).randbytes(100_000); small = [1]")
    manifest = session.save()
    name = max(manifest.chunks, key=lambda name: manifest.body.chunks[name])
    damaged = bytearray(session.chunks.kept[name])
    for broken, word in ((bytes(damaged[:-1]), "damaged"), (None, "missing")):
        if broken is None:
            del session.chunks.kept[name]
        else:
            session.chunks.kept[name] = broken
        after = session.load(manifest)
        assert after["small"] == [1]
        with pytest.raises(SavepointError, match=f"{name}.*{word}"):
            len(after["text"])
        with pytest.raises(SavepointError, match=f"damaged: the chunk {name}.*{word}.*lost are text"):
            snapshot.load(manifest, session.chunks, {}, needs_all=True)
        (problem,) = snapshot.damage(manifest, session.chunks)
        assert name in problem
    session.chunks.kept[name] = bytes(damaged)
    assert snapshot.damage(manifest, session.chunks) == ()
    assert snapshot.load(manifest, session.chunks, {}, needs_all=True)["globals/small"] == [1]


def test_a_stream_that_was_exchanged_is_not_unpickled(session: Session) -> None:
    session.run("first = ['a'] * 10; other = ['b'] * 10")
    manifest = session.save()
    body = manifest.body
    one, two = body.groups
    swapped = (
        type(one)(one.names, two.stream, one.buffers, one.seal, one.digest, one.units, one.missing),
        two,
    )
    after = session.load(
        snapshot.Manifest(type(body)(body.python, swapped, body.chunks, body.views, body.order))
    )
    with pytest.raises(SavepointError, match="signed"):
        len(after["first"])
    assert after["other"] == ["b"] * 10


@pytest.mark.parametrize("fsync", [False, True])
def test_a_directory_of_chunks(tmp_path: Path, fsync: bool) -> None:
    chunks = snapshot.DirectoryChunks(tmp_path / "chunks", fsync=fsync)
    manifest = snapshot.save({"globals/rows": [1] * 1000}, chunks, {})
    assert all(chunks.has(name) for name in manifest.chunks)
    assert not chunks.has("0" * 32)
    assert snapshot.load(manifest, chunks, {}) == {"globals/rows": [1] * 1000}
    assert not list((tmp_path / "chunks").rglob(".*"))
    with pytest.raises(SavepointError, match="missing"):
        chunks.read("0" * 32)


def test_a_savepoint_lists_its_variables_without_loading(session: Session) -> None:
    session.run("""
        class Loud:
            def __repr__(self): raise RuntimeError('nobody asked')
        number, text, rows, loud = 5, 'abc', [1, 2, [3]], [Loud()]
    """)
    views = {view.name: view for view in snapshot.Manifest.from_bytes(session.save().to_bytes()).variables()}
    assert (views["number"].type, views["number"].text) == ("int", "5")
    assert views["rows"].shape == (3,)
    assert views["rows"].text == "[1, 2, [3]]"
    assert views["loud"].text == "[<Loud>]"
    assert views["loud"].scope == "globals"


def test_hidden_scope_and_scopes_of_frames() -> None:
    objects = {"globals/a": 1, "0 handler/b": 2, "1 step/c": 3, "2 step/c": 4, "state/continuation": 5}
    views = snapshot.save(objects, snapshot.MemoryChunks(), {}).variables()
    found = [(view.scope, view.name) for view in views]
    assert found == [("globals", "a"), ("handler", "b"), ("1 step", "c"), ("2 step", "c")]


def test_the_difference_between_two_savepoints(session: Session) -> None:
    session.run("same = [1]; gone = 2; other = {'a': 1}; kind = 1")
    before = session.save()
    session.run("del gone; other['b'] = 2; kind = 'text'; new = 3")
    changes = {change.name: change for change in snapshot.diff(before, session.save())}
    assert {name: change.kind for name, change in changes.items()} == {
        "same": "same",
        "other": "changed",
        "kind": "changed",
        "new": "added",
        "gone": "removed",
    }
    assert "int -> str" in changes["kind"].detail
    assert "1 -> 2" in changes["other"].detail


def test_a_large_array_is_read_to_where_it_belongs(tmp_path: Path) -> None:
    numpy = pytest.importorskip("numpy")
    array = numpy.random.default_rng(1).random(400_000)
    chunks = snapshot.DirectoryChunks(tmp_path)
    manifest = snapshot.save({"globals/array": array}, chunks, namespace={})
    reads: list[str] = []
    plain = chunks.read
    chunks.read = lambda digest: reads.append(digest) or plain(digest)  # type: ignore[method-assign,func-returns-value]
    assert (snapshot.load(manifest, chunks, namespace={})["globals/array"] == array).all()
    large = [name for name, size in manifest.body.chunks.items() if size > 100_000]
    assert large
    assert not set(large) & set(reads)
    file = next(tmp_path.rglob(large[0]))
    file.write_bytes(b"x" + file.read_bytes()[1:])
    lost = snapshot.load(manifest, chunks, namespace={})["globals/array"]
    with pytest.raises(SavepointError, match="does not match its name"):
        lost.sum()
