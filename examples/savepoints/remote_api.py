"""The remote API that `named_savepoint` calls: `python remote_api.py [PORT]` starts it on this machine.

It is sent rows with `airline` and `mean_delay` and answers with the row of the longest delay.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RemoteAPI(BaseHTTPRequestHandler):
    def do_POST(self):
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps(max(rows, key=lambda row: row["mean_delay"] or 0)).encode()
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8765
    with ThreadingHTTPServer(("127.0.0.1", port), RemoteAPI) as server:
        print(f"listening on http://127.0.0.1:{server.server_port}", flush=True)
        server.serve_forever()
