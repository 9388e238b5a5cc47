"""A real Jupyter server with the extension, on a store and a root of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pytest_jupyter.jupyter_server import *  # noqa: F403
from tornado.httpclient import HTTPClientError

SCRIPT = """
def handler(system, this, inputs):
    this.log('hello', size=inputs.get('size', 1))
    this.create_savepoint('half-way')
    this.set_output('double', inputs.get('size', 1) * 2)
    return this.success('all done')
"""


@pytest.fixture
def store_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'flows.sqlite'}"


@pytest.fixture
def flows_config() -> dict[str, object]:
    """Settings of FlowsApp: by default no worker, so that executions stay queued."""
    return {"slots": 0}


@pytest.fixture
def jp_server_config(store_url: str, flows_config: dict[str, object]) -> dict[str, Any]:
    return {
        "ServerApp": {"jpserver_extensions": {"jupyter_flows": True}},
        "FlowsApp": {"store": store_url, **flows_config},
    }


@pytest.fixture
def root(jp_root_dir: Path) -> Path:
    (jp_root_dir / "double.py").write_text(SCRIPT)
    return jp_root_dir


@pytest.fixture
def service(root, jp_serverapp, jp_asyncio_loop):  # noqa: ARG001
    """What the running server hosts. pytest-jupyter does not start extensions: here they are."""
    jp_asyncio_loop.run_until_complete(jp_serverapp._post_start())
    service = jp_serverapp.web_app.settings["jupyter_flows_service"]
    yield service
    jp_asyncio_loop.run_until_complete(service.stop())


class Client:
    """Calls REST as a front end does."""

    def __init__(self, fetch: Any) -> None:
        self._fetch = fetch

    async def get(self, path: str, type: Any = dict, **params: Any) -> Any:
        response = await self._fetch("flows/v1", path, params=params)
        assert response.headers["Content-Type"] == "application/json"
        return msgspec.json.decode(response.body, type=type)

    async def post(self, path: str, body: Any = None, type: Any = dict) -> Any:
        content = b"" if body is None else msgspec.json.encode(body)
        response = await self._fetch("flows/v1", path, method="POST", body=content)
        return msgspec.json.decode(response.body, type=type)

    async def refused(self, path: str, **how: Any) -> tuple[int, dict[str, Any]]:
        """The status code and the body of a call that must fail."""
        with pytest.raises(HTTPClientError) as caught:
            await self._fetch("flows/v1", path, **how)
        response = caught.value.response
        assert response.headers["Content-Type"] == "application/json"
        return caught.value.code, json.loads(response.body)


@pytest.fixture
def client(service, jp_fetch) -> Client:  # noqa: ARG001
    return Client(jp_fetch)
