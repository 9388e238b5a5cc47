"""JupyterLab comes up with the Flows kernel in its launcher."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser


def test_the_launcher_offers_the_flows_kernel(page: Page, shoot: Callable[[str], None]) -> None:
    card = page.locator(".jp-LauncherCard[data-category='Notebook'][title='Flows']")
    expect(card).to_be_visible()
    shoot("launcher")
