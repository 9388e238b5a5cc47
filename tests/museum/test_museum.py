"""Every later version loads what an earlier one kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import snapshot
from jupyter_flows.resumable import units

from . import shapes
from .make import CLAIMS, HERE, KEY
from .rules import gone_on, opened, printed_by

EXHIBITS = sorted(HERE.glob("format-*"))
OF_RULES = sorted(HERE.glob("rules-*"))


def test_there_is_an_exhibit_of_the_present_format() -> None:
    assert HERE / f"format-{snapshot.FORMAT_VERSION}" in EXHIBITS


@pytest.mark.parametrize("exhibit", EXHIBITS, ids=lambda path: path.name)
def test_an_exhibit_loads_whole(exhibit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_FLOWS_KEY", KEY)
    manifest = snapshot.Manifest.from_bytes((exhibit / "manifest").read_bytes())
    assert {view.name: view.text for view in manifest.variables()}["point"].startswith("<Point")
    assert [missing.path for missing in manifest.missing] == ["not_kept"]
    namespace: dict[str, Any] = {"__name__": "__main__"}
    found = snapshot.load(manifest, snapshot.DirectoryChunks(exhibit / "chunks"), namespace)
    namespace.update({name.removeprefix("globals/"): value for name, value in found.items()})
    for claim in CLAIMS.strip().splitlines():
        assert eval(claim, namespace), claim
    if "many_rows" in namespace:
        assert namespace["one_row"] is namespace["many_rows"][7]
        assert namespace["first_row"] is namespace["many_rows"][0]
        assert namespace["many_rows"][2999] == {"number": 2999, "tags": [2999]}


def test_there_is_an_exhibit_of_the_present_rules() -> None:
    assert HERE / f"rules-{units.RULES}.zip" in OF_RULES


@pytest.mark.parametrize("exhibit", OF_RULES, ids=lambda path: path.stem)
def test_an_exhibit_goes_on_from_every_call(exhibit: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_FLOWS_KEY", KEY)
    whole, calls = printed_by()
    manifests, chunks = opened(exhibit)
    assert len(manifests) == calls
    for manifest in manifests:
        assert gone_on(manifest, chunks) == whole


def test_the_number_of_the_rules_changes_with_what_they_make() -> None:
    """Else the places that savepoints name would mean others. Then: `python -m tests.museum.rules`."""
    rules, kept = shapes.read()
    assert rules == units.RULES
    now = shapes.shapes()
    same_source = [name for name in now.keys() & kept.keys() if now[name][:8] == kept[name][:8]]
    assert len(same_source) > len(kept) * 0.8
    assert [name for name in same_source if now[name] != kept[name]] == []
