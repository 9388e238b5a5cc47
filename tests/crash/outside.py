"""A service outside of the engine that counts who called it, with what and with which idempotency key."""

from __future__ import annotations

import json
import threading
from collections import Counter, defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Service:
    """`keys` counts the calls by idempotency key; `tokens` are the keys that came with each ``token``."""

    def __init__(self) -> None:
        self.keys: Counter[str] = Counter()
        self.tokens: defaultdict[str, set[str]] = defaultdict(set)
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                key = self.headers["Idempotency-Key"]
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with service._guard:
                    service.keys[key] += 1
                    service.tokens[str(body.get("token"))].add(key)
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.send_header("Content-Type", "application/json")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._guard = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
