"""The connector REST with a real server."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from jupyter_flows.connectors import ConnectorContext
from jupyter_flows.connectors.rest import RESTConnector
from jupyter_flows.errors import (
    ConnectorError,
    ExtraInputError,
    InvalidInputError,
    MissingInputError,
    TimeoutExceededError,
)

BODIES = {
    "/text": ("text/plain; charset=latin-1", "Grüße".encode("latin-1")),
    "/bytes": ("application/octet-stream", b"\x00\xff"),
    "/untyped": (None, b"plain"),
    "/untyped-bytes": (None, b"\xff"),
    "/problem": ("application/problem+json", b'{"title": "none"}'),
    "/broken": ("application/json", b"{"),
}


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/silent":
            self.server.released.wait(60)  # type: ignore[attr-defined]
            return
        if url.path == "/moved":
            self.send_response(307)
            self.send_header("Location", "/echo?moved=1")
            self.end_headers()
            return
        status = int(url.path.split("/")[2]) if url.path.startswith("/status/") else 200
        kind, body = BODIES.get(url.path, ("application/json", None))
        if body is None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.dumps(
                {
                    "method": self.command,
                    "query": parse_qs(url.query),
                    "headers": {name.lower(): value for name, value in self.headers.items()},
                    "body": self.rfile.read(length).decode(),
                }
            ).encode()
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *arguments: Any) -> None:
        pass


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.released = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.released.set()  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def run(server, tmp_path):
    context = ConnectorContext(execution_id="e1", idempotency_key="key-1", directory=str(tmp_path))

    def run(url: str, **inputs: Any) -> dict[str, Any]:
        return RESTConnector().run({"url": server + url if url.startswith("/") else url, **inputs}, context)

    return run


def test_json_there_and_back(run):
    outputs = run("/echo", method="post", json={"a": [1, None]}, params={"q": "x y", "n": [1, 2]})
    assert outputs["status_code"] == 200
    assert outputs["headers"]["content-type"] == "application/json"
    seen = outputs["json"]
    assert seen["method"] == "POST"
    assert json.loads(seen["body"]) == {"a": [1, None]}
    assert seen["query"] == {"q": ["x y"], "n": ["1", "2"]}
    assert seen["headers"]["content-type"] == "application/json"


def test_the_idempotency_key_is_sent(run):
    assert run("/echo")["json"]["headers"]["idempotency-key"] == "key-1"
    own = run("/echo", headers={"idempotency-key": "mine", "X-Number": 3})["json"]["headers"]
    assert own["idempotency-key"] == "mine"
    assert own["x-number"] == "3"


def test_forms_text_and_bytes(run):
    assert run("/echo", method="POST", data={"a": "1 2"})["json"]["body"] == "a=1+2"
    assert run("/echo", method="POST", data="words")["json"]["body"] == "words"
    assert run("/echo", method="POST", data=b"words")["json"]["body"] == "words"


def test_authentication(run):
    basic = run("/echo", auth=["me", "pw"])["json"]["headers"]["authorization"]
    assert basic == "Basic " + base64.b64encode(b"me:pw").decode()
    assert run("/echo", auth="token")["json"]["headers"]["authorization"] == "Bearer token"


def test_the_body_by_its_content_type(run):
    assert run("/text")["text"] == "Grüße"
    assert run("/bytes")["content"] == b"\x00\xff"
    assert run("/untyped")["text"] == "plain"
    assert run("/untyped-bytes")["content"] == b"\xff"
    assert run("/problem")["json"] == {"title": "none"}
    assert run("/broken")["text"] == "{"


def test_redirects(run, server):
    moved = run("/moved")
    assert moved["json"]["query"] == {"moved": ["1"]}
    assert moved["url"] == f"{server}/echo"
    assert run("/moved", follow_redirects=False)["status_code"] == 307


def test_a_bad_status_is_an_error_unless_it_is_wanted(run):
    with pytest.raises(ConnectorError, match=r"GET http://127.*/status/503 answered 503 Service Unavailable"):
        run("/status/503")
    assert run("/status/404", raise_for_status=False)["status_code"] == 404


def test_no_answer_in_time(run):
    with pytest.raises(TimeoutExceededError, match=r"did not answer within 0\.1 seconds"):
        run("/silent", timeout=0.1)


def test_nobody_listens_and_no_error_shows_a_password(run):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://me:s3cret@127.0.0.1:{free.getsockname()[1]}/path?token=s3cret"
        with pytest.raises(ConnectorError, match=r"GET http://127\.0\.0\.1:\d+/path failed") as caught:
            run(url)
    assert "s3cret" not in caught.value.message
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("inputs", "error", "message"),
    [
        ({"url": "ftp://127.0.0.1/x"}, InvalidInputError, "must start with http"),
        ({"url": "nonsense"}, InvalidInputError, "must start with http"),
        ({"url": "http://127.0.0.1:port/"}, InvalidInputError, "must start with http"),
        ({"url": None}, MissingInputError, "url"),
        ({"url": "/echo", "query": {}}, ExtraInputError, r"query.*url \(required\), method, params"),
        ({"url": "/echo", "json": 1, "data": "x"}, InvalidInputError, "not both"),
        ({"url": "/echo", "data": 5}, InvalidInputError, "a dict, a text or bytes"),
        ({"url": "/echo", "json": {1, 2}}, InvalidInputError, "cannot be sent"),
        ({"url": "/echo", "timeout": "soon"}, InvalidInputError, r"\$\.timeout"),
        ({"url": "/echo", "verify": "no-such.pem"}, InvalidInputError, "cannot be sent"),
    ],
)
def test_bad_inputs(run, inputs, error, message):
    url = inputs.pop("url")
    with pytest.raises(error, match=message):
        run(url, **inputs) if url else RESTConnector().run({}, None)
