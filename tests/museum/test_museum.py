"""Every later version loads what an earlier one kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import snapshot

from .make import CLAIMS, HERE, KEY

EXHIBITS = sorted(HERE.glob("format-*"))


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
