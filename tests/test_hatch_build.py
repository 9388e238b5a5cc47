"""The build hook builds the front end when its sources have changed, and only then."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
import hatch_build

NPM = """#!/bin/sh
echo "$@" >> {log}
case "$1" in
  ci) mkdir -p node_modules ;;
  run) mkdir -p {built}; echo '{{}}' > {built}/package.json ;;
esac
"""


class FrontEnd:
    """A small front end, and an `npm` that only notes what it was asked."""

    def __init__(self, path: Path) -> None:
        self.source = path / "labextension"
        self.built = path / "jupyter_flows" / "labextension" / "package.json"
        self.log = path / "npm.log"
        (self.source / "src").mkdir(parents=True)
        for name in ("package.json", "package-lock.json", "src/index.ts"):
            (self.source / name).write_text("first")
        self.bin = path / "bin"
        self.bin.mkdir()
        self.program("npm", NPM.format(log=self.log, built=self.built.parent))
        self.program("node", "#!/bin/sh\necho v20.1.0\n")

    def program(self, name: str, text: str) -> None:
        (self.bin / name).write_text(text)
        (self.bin / name).chmod(0o755)

    def asked(self) -> list[str]:
        """Build, and return what npm was asked to do."""
        self.log.write_text("")
        hatch_build.build(self.source, self.built)
        return [line.split()[-1] if "run" in line else "ci" for line in self.log.read_text().splitlines()]


@pytest.fixture
def front_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FrontEnd:
    made = FrontEnd(tmp_path)
    monkeypatch.setenv("PATH", f"{made.bin}:/usr/bin:/bin")
    return made


def test_the_first_build_installs_and_builds(front_end: FrontEnd) -> None:
    assert front_end.asked() == ["ci", "build:prod"]
    assert front_end.built.exists()


def test_unchanged_sources_are_not_built_again(front_end: FrontEnd) -> None:
    front_end.asked()
    assert front_end.asked() == []


def test_a_changed_source_is_built_again_with_the_same_packages(front_end: FrontEnd) -> None:
    front_end.asked()
    (front_end.source / "src" / "index.ts").write_text("second")
    assert front_end.asked() == ["build:prod"]


def test_a_changed_lock_file_installs_again(front_end: FrontEnd) -> None:
    front_end.asked()
    (front_end.source / "package-lock.json").write_text("second")
    assert front_end.asked() == ["ci", "build:prod"]


def test_a_build_that_was_removed_is_made_again(front_end: FrontEnd) -> None:
    front_end.asked()
    front_end.built.unlink()
    assert front_end.asked() == ["build:prod"]


def test_an_old_node_is_named(front_end: FrontEnd) -> None:
    front_end.program("node", "#!/bin/sh\necho v18.19.0\n")
    with pytest.raises(RuntimeError, match=r"Node\.js v18\.19\.0 .* is too old: install Node\.js 20"):
        front_end.asked()


def test_a_missing_node_is_told(front_end: FrontEnd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(front_end.bin.parent / "nothing"))
    with pytest.raises(RuntimeError, match=r"was not found: install Node\.js 20"):
        front_end.asked()
