"""What an installed jupyter_flows brings is found where Jupyter looks for it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def ask_jupyter(*command: str) -> str:
    run = subprocess.run([sys.executable, "-m", "jupyter", *command], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr


def test_jupyter_finds_the_kernel() -> None:
    found = json.loads(ask_jupyter("kernelspec", "list", "--json"))["kernelspecs"]["flows"]
    assert found["spec"]["display_name"] == "Flows"
    assert found["spec"]["argv"] == ["python", "-m", "jupyter_flows.kernel", "-f", "{connection_file}"]
    assert (Path(found["resource_dir"]) / "logo-svg.svg").is_file()


def test_jupyter_finds_the_server_extension() -> None:
    listed = ask_jupyter("server", "extension", "list")
    assert "jupyter_flows" in listed
    assert "could not be found" not in listed


def test_jupyterlab_finds_the_panels() -> None:
    listed = ask_jupyter("labextension", "list")
    (line,) = [line for line in listed.splitlines() if "jupyter-flows" in line]
    assert "enabled" in line
    assert "OK" in line


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    listed = text.partition("\ndependencies = [\n")[2].partition("\n]")[0]
    assert listed
    assert [line for line in listed.splitlines() if "#" not in line] == []


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_the_wheel_holds_everything_and_needs_no_more(tmp_path: Path) -> None:
    """Build it as a user's pip would, install it into an empty environment, ask Jupyter there."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", tmp_path, ROOT], check=True)
    (wheel,) = tmp_path.glob("jupyter_flows-*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.endswith("data/share/jupyter/labextensions/jupyter-flows/install.json") for name in names)
    assert any(name.endswith("data/share/jupyter/kernels/flows/kernel.json") for name in names)
    assert not any(name.startswith(("tests/", "examples/", "labextension/")) for name in names)

    empty = tmp_path / "empty"
    subprocess.run([sys.executable, "-m", "venv", empty], check=True)
    subprocess.run([empty / "bin" / "python", *pip[1:], "install", wheel], check=True)
    listed = subprocess.run(
        [empty / "bin" / "jupyter", "server", "extension", "list"], capture_output=True, text=True
    )
    assert "could not be found" not in listed.stdout + listed.stderr
    told = subprocess.run(
        [
            empty / "bin" / "jupyter",
            "flows",
            "executions",
            "--json",
            "--store",
            f"sqlite:///{tmp_path}/f.sqlite",
        ],
        capture_output=True,
        text=True,
    )
    assert told.returncode == 0, told.stderr
