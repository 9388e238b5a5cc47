"""What modules hold for all who use them comes back as the same object, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from jupyter_flows import snapshot
from jupyter_flows.errors import SavepointError
from jupyter_flows.snapshot.of_modules import place_of, taken_from

from .conftest import Session

ROOT = Path(__file__).resolve().parents[2]

#: Each is an expression; those of libraries that are not installed are left out.
SENTINELS = """
dataclasses.MISSING dataclasses.KW_ONLY inspect._empty inspect._void unittest.mock.DEFAULT unittest.mock.ANY
unittest.mock.sentinel.some typing.Any typing.Union typing.NoReturn typing.Self functools._initial_missing
configparser._UNSET socket._GLOBAL_DEFAULT_TIMEOUT contextvars.Token.MISSING email.policy.default
os.environ random._inst numpy._NoValue numpy.ma.masked numpy.ma.nomask numpy.s_ numpy.random.mtrand._rand
pandas.NaT pandas.NA pandas.api.extensions.no_default pandas.IndexSlice pandas.options
pydantic_core.PydanticUndefined attr.NOTHING attrs.NOTHING msgspec.UNSET msgspec.NODEFAULT
httpx.USE_CLIENT_DEFAULT traitlets.Undefined traitlets.All plotly.basedatatypes.Undefined polars.col
matplotlib.rcParams requests.codes tornado.web._ARG_DEFAULT scipy.stats.norm
urllib3.util.timeout._DEFAULT_TIMEOUT jinja2.runtime.missing anyio.TASK_STATUS_IGNORED
""".split()  # noqa: SIM905

STEP = """
import importlib, json, sys
from pathlib import Path
from jupyter_flows import snapshot

step, where, names = sys.argv[1], Path(sys.argv[2]), json.loads(sys.argv[3])

def found(name):
    parts = name.split(".")
    for count in range(len(parts) - 1, 0, -1):
        try:
            subject = importlib.import_module(".".join(parts[:count]))
            for part in parts[count:]:
                subject = getattr(subject, part)
            return subject
        except (ImportError, AttributeError):
            continue
    return None

chunks = snapshot.DirectoryChunks(where / "chunks")
if step == "save":
    objects = {f"globals/{name}": {"held": found(name)} for name in names if found(name) is not None}
    (where / "manifest").write_bytes(snapshot.save(objects, chunks, {}).to_bytes())
else:
    manifest = snapshot.Manifest.from_bytes((where / "manifest").read_bytes())
    loaded = snapshot.load(manifest, chunks, {})
    wrong = [name for name, value in loaded.items() if value["held"] is not found(name.partition("/")[2])]
    (where / "result").write_text(json.dumps([len(loaded), wrong]))
"""


def test_sentinels_keep_their_identity(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "JUPYTER_FLOWS_KEY": "sentinels"}
    for step in ("save", "load"):
        command = [sys.executable, "-c", STEP, step, str(tmp_path), json.dumps(SENTINELS)]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    count, wrong = json.loads((tmp_path / "result").read_text())
    assert wrong == []
    assert count >= 25


def test_names_of_a_module_go_on_leading_to_its_objects(session: Session) -> None:
    loaded = session.after(
        """
        import os, random
        from os import environ
        from random import random as draw, seed
        held = {"environ": environ, "draw": draw}
        """
    )
    loaded.run(
        """
        environ["OF_MODULES"] = "set"
        found = [os.environ["OF_MODULES"], held["environ"] is os.environ]
        del environ["OF_MODULES"]
        seed(5)
        first = draw()
        random.seed(5)
        found.append(held["draw"]() == first)
        """
    )
    assert loaded["found"] == ["set", True, True]


def test_what_two_variables_take_from_a_module_makes_them_no_group(session: Session) -> None:
    session.run("from os import environ; one = [environ, 1]; other = [environ, 2]")
    assert all(len(group.names) == 1 for group in session.save().body.groups)


def test_an_argument_parser_knows_what_is_suppressed(session: Session) -> None:
    loaded = session.after(
        """
        import argparse
        parser = argparse.ArgumentParser(argument_default=argparse.SUPPRESS)
        parser.add_argument("--number", type=int)
        parser.add_argument("--hidden", help=argparse.SUPPRESS, default=3)
        expected = parser.parse_args(["--number", "4"]), parser.parse_args([]), parser.format_help()
        """
    )
    loaded.run(
        "found = parser.parse_args(['--number', '4']), parser.parse_args([]), parser.format_help()",
    )
    assert loaded["found"] == loaded["expected"]
    assert vars(loaded["found"][1]) == {"hidden": 3}


def own_module(path: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str) -> None:
    (path / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(str(path))
    monkeypatch.delitem(sys.modules, name, raising=False)


def test_what_a_module_only_stores_is_state(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_module(
        tmp_path,
        monkeypatch,
        "library_with_a_client",
        "class Client: pass\n"
        "UNSET = Client()\n"
        "_client = None\n"
        "def connect():\n    global _client\n    _client = Client()\n    return _client\n",
    )
    session.run(
        """
        import library_with_a_client as library
        client, unset = library.connect(), library.UNSET
        client.name = "mine"
        library.put_there = library.Client()
        mine = library.put_there
        """
    )
    assert place_of(session["client"]) is None
    assert place_of(session["mine"]) is None
    session.save()
    session.run("library._client = library.put_there = None")
    loaded = session.load()
    assert loaded["client"].name == "mine"
    assert type(loaded["mine"]) is type(session["mine"])
    assert loaded["unset"] is session["unset"]


def test_a_plain_container_of_a_library_is_kept_with_its_content(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_module(tmp_path, monkeypatch, "library_with_a_registry", "REGISTRY = {'one': 1}\n")
    session.run(
        """
        import library_with_a_registry as library
        from library_with_a_registry import REGISTRY as named
        named["two"] = 2
        also = [named]
        """
    )
    session.save()
    session.run("del library.REGISTRY['two']")  # as in a process that imports it anew
    loaded = session.load()
    assert loaded["named"] == {"one": 1, "two": 2}
    assert loaded["also"][0] is loaded["named"]
    assert loaded["library"].REGISTRY == {"one": 1}


def test_an_object_that_is_no_longer_there_is_named(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_module(tmp_path, monkeypatch, "library_with_a_mark", "class Mark: pass\nMARK = Mark()\n")
    session.run("from library_with_a_mark import MARK; marked = [1, MARK]")
    session.save()
    sys.modules["library_with_a_mark"].MARK = 7  # as in a later version of the library
    loaded = session.load()
    with pytest.raises(SavepointError, match=r"library_with_a_mark\.MARK is now a builtins\.int"):
        _ = loaded["marked"][1] + 1
    with pytest.raises(SavepointError, match="no_such is not there"):
        taken_from("json", "no_such", "builtins.object")


def test_a_module_that_changes_while_it_is_looked_at_costs_nothing(session: Session) -> None:
    """A proxy that is asked for its class imports, which fills the table that holds it."""
    session.run(
        """
        import socket
        table = {}
        class Proxy:
            @property
            def __class__(self):
                table['filled'] = None
                raise RuntimeError("not yet")
        table["proxy"], table["bad"] = Proxy(), socket.socket()
        class Endless(list):
            def __iter__(self):
                raise RuntimeError("never")
        endless = [Endless([1]), socket.socket()]
        """
    )
    manifest = session.save()
    assert {one.path for one in manifest.missing} >= {"table['bad']"}
    assert isinstance(manifest, snapshot.Manifest)
