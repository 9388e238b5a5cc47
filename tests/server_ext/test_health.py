"""Probes and metrics of the server."""

from __future__ import annotations

import pytest
from tornado.httpclient import HTTPClientError


class TestWithAWorker:
    @pytest.fixture
    def flows_config(self):
        return {"slots": 1}

    async def test_it_lives_and_is_ready_and_tells_its_slots(self, service, jp_fetch):
        await service.opened()
        for probe in ("live", "ready"):
            assert (await jp_fetch("flows/v1/health", probe)).body == b"ok\n"
        text = (await jp_fetch("flows/v1/metrics")).body.decode()
        assert "flows_slots 1.0" in text
        assert "flows_store_up 1.0" in text

    async def test_a_worker_that_stops_is_not_ready(self, service, jp_fetch):
        await service.opened()
        await service.worker.stop()
        for probe in ("live", "ready"):
            with pytest.raises(HTTPClientError) as refused:
                await jp_fetch("flows/v1/health", probe)
            assert refused.value.code == 503


async def test_probes_need_no_token_and_metrics_do(service, http_server_client, jp_base_url):
    await service.opened()
    path = f"{jp_base_url}flows/v1/"
    assert (await http_server_client.fetch(f"{path}health/live")).body == b"ok\n"
    refused = await http_server_client.fetch(f"{path}metrics", raise_error=False, follow_redirects=False)
    assert refused.code in (302, 403)


class TestAStoreThatCannotBeOpened:
    @pytest.fixture
    def store_url(self, tmp_path):
        (tmp_path / "flows.sqlite").write_text("no database, and never was one. " * 200)
        return f"sqlite:///{tmp_path / 'flows.sqlite'}"

    async def test_it_lives_but_is_not_ready(self, service, jp_fetch):  # noqa: ARG002
        assert (await jp_fetch("flows/v1/health/live")).code == 200
        with pytest.raises(HTTPClientError) as refused:
            await jp_fetch("flows/v1/health/ready")
        assert refused.value.response.body == b"the store is not open\n"
