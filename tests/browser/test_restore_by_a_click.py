"""The main job in the browser: run a flow, see it fail, mend it, restore a savepoint, see it succeed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from .conftest import Lab

pytestmark = pytest.mark.browser


def ask(page: Page, lab: Lab, path: str) -> Any:
    """What the server says over REST."""
    answer = page.request.get(f"{lab.url}/flows/v1/{path}")
    assert answer.ok, answer.text()
    return answer.json()


def open_panel(page: Page) -> Locator:
    page.locator('li[data-id="jp-Flows-panel"]').click()
    panel = page.locator("#jp-Flows-panel")
    expect(panel).to_be_visible()
    return panel


def connections(page: Page, lab: Lab, execution_id: str) -> list[str]:
    children = ask(page, lab, f"executions/{execution_id}/children")["executions"]
    return [child["name"] for child in children if child["type"] == "CONNECTION"]


def test_run_fail_mend_restore(page: Page, lab: Lab, shoot: Callable[[str], None]) -> None:
    panel = open_panel(page)
    flow = panel.locator('[data-flow="savepoints/fetch_and_process"]')
    flow.get_by_role("button", name=re.compile("^Run")).click()
    # It has parameters, so it asks for inputs.
    expect(page.locator('.jp-Dialog [data-input="origin"] textarea')).to_have_value("JFK")
    page.locator(".jp-Dialog button.jp-mod-accept").click()

    execution = panel.locator('.jp-Flows-executions [data-execution-id][aria-level="1"]')
    expect(execution).to_have_attribute("data-status", "ENDED_ERROR")
    execution_id = execution.get_attribute("data-execution-id") or ""
    assert connections(page, lab, execution_id) == ["fetch flights"]
    shoot("failed")

    execution.dblclick()
    view = page.locator(f'.jp-Flows-execution[data-execution-id="{execution_id}"]')
    expect(view).to_be_visible()
    expect(view).to_contain_text("remote_api.json is missing")

    folder = lab.folder / "savepoints"
    shutil.copy(folder / "remote_api.example.json", folder / "remote_api.json")

    view.get_by_role("tab", name=re.compile("Savepoints")).click()
    savepoint = view.locator('[data-savepoint-name="with-fetched-data"]')
    expect(savepoint).to_contain_text("create_savepoint")
    shoot("savepoints")
    savepoint.get_by_role("button", name=re.compile("^Variables of")).click()
    variables = view.get_by_role("table", name="Variables")
    expect(variables.locator('[data-variable="data"]')).to_have_attribute("data-change", "added")
    view.get_by_label("Only what changed").check()
    expect(variables.locator('[data-variable="origin"]')).to_have_count(0)
    shoot("variables")
    savepoint.get_by_role("button", name="Restore", exact=True).click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("with-fetched-data")
    shoot("dialog")
    dialog.locator("button.jp-mod-warn").click()

    expect(view).to_have_attribute("data-status", "ENDED_SUCCESS")
    expect(execution).to_have_attribute("data-status", "ENDED_SUCCESS")
    shoot("restored")
    assert connections(page, lab, execution_id) == ["fetch flights"], "the data was fetched again"
    outputs = ask(page, lab, f"executions/{execution_id}")["output_value"]
    assert outputs["flights"] > 1000


TYPO = """\
def handler(system, this):
    rows = [{"amount": 1}, {"amount": 2}]
    this.create_savepoint("with-rows")
    this.set_output("total", sum(row["amont"] for row in rows))
"""


def test_a_bug_is_mended_and_the_savepoint_goes_on_in_the_current_code(
    page: Page, lab: Lab, shoot: Callable[[str], None]
) -> None:
    (lab.folder / "typo.py").write_text(TYPO)
    panel = open_panel(page)
    panel.locator('[data-flow="typo"]').get_by_role("button", name=re.compile("^Run")).click()
    execution = panel.locator('.jp-Flows-executions [data-execution-id][aria-level="1"]')
    expect(execution).to_have_attribute("data-status", "ENDED_ERROR")
    execution_id = execution.get_attribute("data-execution-id") or ""
    (lab.folder / "typo.py").write_text(TYPO.replace("amont", "amount"))

    execution.dblclick()
    view = page.locator(f'.jp-Flows-execution[data-execution-id="{execution_id}"]')
    view.get_by_role("tab", name=re.compile("Savepoints")).click()
    savepoint = view.locator('[data-savepoint-name="with-rows"]')
    savepoint.click(button="right")
    menu = page.locator(".lm-Menu")
    shoot("menu")
    menu.get_by_text("Restore with Current Code…").click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("with the current code")
    shoot("dialog")
    dialog.locator("button.jp-mod-accept").click()
    expect(view).to_have_attribute("data-status", "ENDED_SUCCESS")
    shoot("restored")
    assert ask(page, lab, f"executions/{execution_id}")["output_value"] == {"total": 3}


def test_a_notebook_on_the_flows_kernel(page: Page, lab: Lab, shoot: Callable[[str], None]) -> None:
    page.goto(f"{lab.url}/lab/tree/savepoints/fetch_and_process.ipynb")
    notebook = page.locator(".jp-NotebookPanel:visible")
    expect(notebook.locator(".jp-Toolbar-kernelName")).to_have_text(re.compile("Flows"))
    # Keys that come before the kernel is idle would be lost.
    expect(notebook.locator(".jp-Notebook-ExecutionIndicator")).to_have_attribute("data-status", "idle")

    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name=re.compile("^Run All Cells")).first.click()
    expect(notebook.locator(".jp-OutputArea-output", has_text="flights fetched")).to_be_visible()
    error = notebook.locator(".jp-RenderedText", has_text="remote_api.json is missing").first
    error.scroll_into_view_if_needed()
    expect(error).to_be_visible()
    shoot("failed")

    cells = notebook.locator(".jp-CodeCell")
    cell = cells.nth(cells.count() - 1)
    cell.locator(".cm-content").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.type("%flow savepoints")
    page.keyboard.press("Shift+Enter")
    expect(cell.locator(".jp-OutputArea-output")).to_contain_text("with-fetched-data")
    shoot("savepoints")
