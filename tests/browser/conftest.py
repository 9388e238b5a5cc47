"""A real JupyterLab on a copy of the examples, and a real Chromium that looks at it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect, sync_playwright

expect.set_options(timeout=90_000)

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "test-results"
LEFT_BEHIND = shutil.ignore_patterns("*.sqlite*", "remote_api.json", "__pycache__", ".ipynb_checkpoints")
RUNNING_AT = re.compile(r"(http://127\.0\.0\.1:\d+)(/\S*)?")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Lab:
    """A running JupyterLab: its address, its folder of examples, what it has said."""

    folder: Path
    process: subprocess.Popen[str]
    url: str = ""
    said: list[str] = field(default_factory=list)

    def wait_until_it_runs(self) -> None:
        """Read its log to the line that names its address, and on in the background."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if found := RUNNING_AT.search(line):
                self.url = found[1]
                break
        else:
            pytest.fail(f"JupyterLab did not start:\n{''.join(self.said)}")
        threading.Thread(target=lambda: self.said.extend(self.process.stderr or ()), daemon=True).start()

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    folder = tmp_path / "examples"
    shutil.copytree(ROOT / "examples", folder, ignore=LEFT_BEHIND)
    settings = tmp_path / "config" / "labconfig"
    settings.mkdir(parents=True)
    # The question whether to fetch news would stand in the way of clicks.
    announcements = {"@jupyterlab/apputils-extension:announcements": True}
    (settings / "page_config.json").write_text(json.dumps({"disabledExtensions": announcements}))
    environment = {
        **os.environ,
        "JUPYTER_FLOWS_STORE": f"sqlite:///{tmp_path}/store/flows.sqlite",
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_DATA_DIR": str(tmp_path / "data"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "IPYTHONDIR": str(tmp_path / "ipython"),
    }
    environment.pop("JUPYTER_FLOWS_SOCKET", None)
    (tmp_path / "store").mkdir()
    command = [sys.executable, "-m", "jupyter", "lab", "--allow-root", "--no-browser", "--ip=127.0.0.1"]
    command += ["--port=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    running = Lab(folder=folder, process=process)
    try:
        running.wait_until_it_runs()
        yield running
    finally:
        running.stop()
        RESULTS.mkdir(exist_ok=True)
        (RESULTS / f"{tmp_path.name}.lab.log").write_text("".join(running.said))


@pytest.fixture
def page(lab: Lab, program: Callable[..., str], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A browser window on that JupyterLab. `RESULTS` keeps what it showed last."""
    executable = program("chromium", "chromium-browser", "google-chrome", package="chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        window = browser.new_page(viewport={"width": 1400, "height": 900})
        window.set_default_timeout(90_000)
        said: list[str] = []
        window.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        window.on("pageerror", lambda error: said.append(f"error: {error}"))
        window.goto(f"{lab.url}/lab")
        window.locator("#jupyterlab-splash").wait_for(state="detached")
        try:
            yield window
        finally:
            RESULTS.mkdir(exist_ok=True)
            window.screenshot(path=RESULTS / f"{request.node.name}-end.png")
            (RESULTS / f"{request.node.name}.console.log").write_text("\n".join(said))
            browser.close()
        wrong = [line for line in said if line.startswith("error") and "flows" in line.lower()]
        assert not wrong, "\n".join(wrong)


@pytest.fixture
def shoot(page: Page, request: pytest.FixtureRequest) -> Callable[[str], None]:
    """`shoot("failed")` keeps a screenshot as a file of the test run."""

    def keep(moment: str) -> None:
        RESULTS.mkdir(exist_ok=True)
        page.screenshot(path=RESULTS / f"{request.node.name}-{moment}.png")

    return keep
