"""A store that cannot be opened, and what the server does about it."""

from __future__ import annotations

import logging

import pytest

from jupyter_flows.engine.places import store_url as default_store_url
from jupyter_flows.errors import StoreError
from jupyter_flows.server_ext import service as service_module
from jupyter_flows.server_ext.service import FlowsService


class TestAStoreThatCannotBeOpened:
    @pytest.fixture
    def store_url(self, tmp_path):
        (tmp_path / "flows.sqlite").write_text("no database, and never was one. " * 200)
        return f"sqlite:///{tmp_path / 'flows.sqlite'}"

    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "flows"), ("GET", "executions"), ("GET", "status"), ("POST", "savepoints/s1/restore")],
    )
    async def test_every_call_says_so(self, client, method, path):
        code, problem = await client.refused(path, method=method, body="{}" if method == "POST" else None)
        assert (code, problem["type"]) == (503, "StoreError")
        assert "flows.sqlite" in problem["message"]

    async def test_the_server_itself_works(self, client, jp_fetch):  # noqa: ARG002
        assert (await jp_fetch("api/status")).code == 200

    async def test_events_say_so_too(self, client):
        code, problem = await client.refused("events")
        assert (code, problem["type"]) == (503, "StoreError")


async def test_a_store_that_comes_back_is_opened(tmp_path, monkeypatch):
    path = tmp_path / "flows.sqlite"
    path.write_text("no database, and never was one. " * 200)
    monkeypatch.setattr(service_module, "_RETRY_SECONDS", 0.01)
    service = FlowsService(f"sqlite:///{path}", str(tmp_path), logging.getLogger("flows"), make_worker=None)
    service.start()
    with pytest.raises(StoreError):
        await service.engine()
    path.unlink()
    await service.opened()
    engine = await service.engine()
    assert engine.flows() == []
    assert engine.executions().executions == ()
    await service.stop()
    with pytest.raises(StoreError, match="stops"):
        await service.engine()


def test_where_the_store_lies(monkeypatch, tmp_path):
    monkeypatch.delenv("JUPYTER_FLOWS_STORE", raising=False)
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    assert default_store_url() == f"sqlite:///{tmp_path}/data/jupyter_flows/flows.sqlite"
    monkeypatch.setenv("JUPYTER_FLOWS_STORE", "postgresql://there/db")
    assert default_store_url() == "postgresql://there/db"
    assert default_store_url("sqlite:///here.db") == "sqlite:///here.db"
