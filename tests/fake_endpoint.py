"""A server that answers like an OpenAI-compatible endpoint, and fails in every way when asked to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

PASSING = ("429", "500", "hangs", "no json", "no choice", "no words", "broken off", "stops", "drips")
"""Faults after which the same request may be answered."""
REFUSALS = ("400", "413", "422")
"""What a server says of a request that it will never answer: too long for its model, or stopped by a filter."""
FAULTS = (*PASSING, *REFUSALS)
TIMEOUT = 1.0
"""Seconds that the tests give an answer: less than a fault takes, and more than an answer on a busy machine."""


class Server(ThreadingHTTPServer):
    """Answers with the colour of the goal; a share of its answers is a fault, in turn of every one of some kinds."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(
        self, share: float = 0.0, says: str = "i want {colour} please", kinds: Sequence[str] = PASSING
    ) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.share, self.says, self.kinds = share, says, kinds
        self.asked: list[dict[str, Any]] = []
        self.faults: Counter[str] = Counter()
        self.lock = threading.Lock()
        self.rng = np.random.default_rng(0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that gave up waiting is no news."""

    def answer(self, asked: dict[str, Any]) -> str:
        goal = asked["messages"][0]["content"].split("you want ")[1].split()[0]
        return self.says.format(colour=goal)

    def fault(self, asked: dict[str, Any]) -> str:
        with self.lock:
            self.asked.append(asked)
            if self.rng.random() >= self.share:
                return ""
            kind = self.kinds[sum(self.faults.values()) % len(self.kinds)]
            self.faults[kind] += 1
            return kind


class Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None: ...

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fault = self.server.fault(asked)
        text = "" if fault == "no words" else self.server.answer(asked)
        choices = [] if fault == "no choice" else [{"message": {"content": text}, "finish_reason": "stop"}]
        body = json.dumps({"choices": choices, "usage": {"prompt_tokens": 50, "completion_tokens": 5}}).encode()
        if fault == "hangs":
            time.sleep(2 * TIMEOUT)
        if fault.isdigit():
            why = "too much for the model's context" if fault in REFUSALS else "not now"
            body = json.dumps({"error": {"message": why}}).encode()
        self.send_response(int(fault) if fault.isdigit() else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "no json":
            body = body[: len(body) // 2].ljust(len(body))
        if fault == "broken off":
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        elif fault == "stops":  # in the middle, and the connection stays
            self.wfile.write(body[:10])
            self.wfile.flush()
            time.sleep(2 * TIMEOUT)
            self.close_connection = True
        elif fault == "drips":  # no read takes long, and the whole takes forever: longer than any test waits
            for byte in body:
                self.wfile.write(bytes([byte]))
                self.wfile.flush()
                time.sleep(TIMEOUT / 4)
        else:
            self.wfile.write(body)


def serve(made: Server) -> Iterator[Server]:
    thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    yield made
    made.shutdown()
    made.server_close()
