"""Jupyter's authentication, authorizer and XSRF stand before every call."""

from __future__ import annotations

import json

import pytest
from jupyter_server.auth import Authorizer
from tornado.httpclient import HTTPClientError
from traitlets import Set

from jupyter_flows.server_ext.endpoint import PREFIX
from jupyter_flows.server_ext.handlers import ROUTES

# action -> the calls that ask for it: held here, so that a new call has to be thought of.
ACTIONS = {
    "read": {
        "GET flows",
        "GET executions",
        "GET executions/{execution_id}",
        "GET executions/{execution_id}/children",
        "GET executions/{execution_id}/savepoints",
        "GET executions/{execution_id}/log",
        "GET executions/{execution_id}/notebook",
        "GET savepoints/{savepoint_id}",
        "GET savepoints/{savepoint_id}/variables",
        "GET savepoints/{savepoint_id}/diff/{other_id}",
        "GET storage",
        "GET status",
        "GET openapi.json",
        "GET events",
        "GET nonsense",
    },
    "write": {
        "POST executions/{execution_id}/cancel",
        "POST executions/{execution_id}/pause",
        "POST executions/{execution_id}/archive",
        "POST executions/{execution_id}/delete",
        "POST storage/collect",
        "POST nonsense",
    },
    "execute": {
        "POST executions",
        "POST executions/{execution_id}/again",
        "POST executions/{execution_id}/resume",
        "POST executions/many",
        "POST savepoints/{savepoint_id}/restore",
        "POST savepoints/{savepoint_id}/fork",
    },
}
CALLS = sorted(call for calls in ACTIONS.values() for call in calls)


class Picky(Authorizer):
    """Notes what it is asked, and refuses what it is told to."""

    allowed = Set()

    def is_authorized(self, handler, user, action, resource):  # noqa: ARG002
        handler.settings.setdefault("asked", []).append((action, resource))
        return (action, resource) in self.allowed


@pytest.fixture
def jp_server_config(jp_server_config):
    jp_server_config["ServerApp"]["authorizer_class"] = Picky
    return jp_server_config


@pytest.fixture
def call(service, jp_fetch):  # noqa: ARG001
    async def call(text: str, **how):
        method, path = text.split()
        path = (
            path.replace("{execution_id}", "e1").replace("{savepoint_id}", "s1").replace("{other_id}", "s2")
        )
        if method == "POST":
            how.setdefault("body", "{}")
        with pytest.raises(HTTPClientError) as caught:
            await jp_fetch(PREFIX, path, method=method, **how)
        return caught.value

    return call


def test_every_call_is_thought_of():
    made = set()
    for path, handler in ROUTES.items():
        for method in ("get", "post", "put", "patch", "delete"):
            if getattr(handler, method).__qualname__ != "RequestHandler._unimplemented_method":
                made.add(f"{method.upper()} {path}")
    assert made == set(CALLS) - {"GET nonsense", "POST nonsense"}


@pytest.mark.parametrize("text", CALLS)
async def test_without_a_token_nothing_is_answered(call, text, jp_serverapp):
    error = await call(text, headers={"Authorization": "token wrong"})
    assert error.code == 403
    assert json.loads(error.response.body)["type"] == "PermissionDenied"
    assert "asked" not in jp_serverapp.web_app.settings


@pytest.mark.parametrize("text", CALLS)
async def test_the_authorizer_is_asked_for_the_right_action_and_obeyed(call, text, jp_serverapp):
    jp_serverapp.authorizer.allowed = set()
    (action,) = [action for action, calls in ACTIONS.items() if text in calls]
    error = await call(text)
    assert jp_serverapp.web_app.settings["asked"] == [(action, "flows")]
    assert error.code == 403
    problem = json.loads(error.response.body)
    assert problem["type"] == "PermissionDenied"
    assert action in problem["message"]


async def test_who_may_read_may_not_run(call, jp_serverapp, jp_fetch):
    jp_serverapp.authorizer.allowed = {("read", "flows")}
    assert (await jp_fetch(PREFIX, "flows")).code == 200
    assert (await call("POST executions", body='{"flow": "double"}')).code == 403
    assert json.loads((await jp_fetch(PREFIX, "executions")).body)["executions"] == []


async def test_a_cookie_alone_cannot_post(call, jp_serverapp, jp_fetch):
    """A form of another site comes with the cookie, and without the XSRF header."""
    jp_serverapp.authorizer.allowed = {("read", "flows"), ("execute", "flows")}
    response = await jp_fetch(PREFIX, "flows")
    cookie = "; ".join(value.split(";")[0] for value in response.headers.get_list("Set-Cookie"))
    assert "username-" in cookie
    headers = {"Authorization": "", "Cookie": cookie}
    assert (await jp_fetch(PREFIX, "flows", headers=dict(headers))).code == 200
    error = await call("POST executions", headers=headers, body='{"flow": "double"}')
    assert error.code == 403
    assert "_xsrf" in json.loads(error.response.body)["message"]
