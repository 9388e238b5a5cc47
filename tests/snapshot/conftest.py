"""What the tests of snapshots share: a namespace as a notebook has it, saved and loaded elsewhere."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import pytest

from jupyter_flows import snapshot


class Session:
    """A notebook's namespace that can be saved and put back."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.chunks = snapshot.MemoryChunks()
        self.manifest: snapshot.Manifest | None = None

    def run(self, source: str) -> None:
        exec(compile(textwrap.dedent(source), "<cell>", "exec"), self.namespace)

    def __getitem__(self, name: str) -> Any:
        return self.namespace[name]

    @property
    def objects(self) -> dict[str, Any]:
        return {
            f"globals/{name}": value for name, value in self.namespace.items() if not name.startswith("__")
        }

    def save(self) -> snapshot.Manifest:
        self.manifest = snapshot.save(self.objects, self.chunks, self.namespace, self.manifest)
        return self.manifest

    def load(self, manifest: snapshot.Manifest | None = None) -> Session:
        """A new session from the bytes of the newest (or this) savepoint."""
        manifest = manifest or self.manifest or self.save()
        loaded = Session()
        loaded.chunks = self.chunks
        loaded.manifest = snapshot.Manifest.from_bytes(manifest.to_bytes())
        found = snapshot.load(loaded.manifest, self.chunks, loaded.namespace)
        loaded.namespace.update({name.removeprefix("globals/"): value for name, value in found.items()})
        return loaded

    def after(self, source: str) -> Session:
        """Run, save, load: the new session."""
        self.run(source)
        self.save()
        return self.load()


@pytest.fixture(autouse=True)
def own_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test has a data directory, and so a key, of its own."""
    monkeypatch.delenv("JUPYTER_FLOWS_KEY", raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter-data"))


@pytest.fixture
def session() -> Session:
    return Session()
