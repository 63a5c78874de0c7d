"""A text server that writes when it is told to: a brain for an engine in another process."""

from __future__ import annotations

import json
import queue
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

WAIT_S = 60.0


class BrainServer:
    """Answers every question with one sentence, held back until the gate opens.

    Attributes
    ----------
    brain : str
        What ``--brain`` takes.
    asked : queue of str
        The questions that came, in that order.
    keys : set of str
        What came in their ``Authorization`` headers.
    """

    def __init__(self) -> None:
        self.asked: queue.Queue[str] = queue.Queue()
        self.keys: set[str] = set()
        self._open = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                outer.keys.add(self.headers.get("authorization", ""))
                question = body["messages"][-1]["content"]
                outer.asked.put(question)
                assert outer._open.wait(WAIT_S), "the gate stayed shut"
                chunk = {"choices": [{"delta": {"content": f"You said: {question}. That is all."}}]}
                try:
                    self.send_response(200)
                    self.send_header("content-type", "text/event-stream")
                    self.end_headers()
                    self.wfile.write(f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode())
                except ConnectionError:
                    return  # the engine that asked is no more

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.brain = f"http://127.0.0.1:{self._server.server_address[1]}/v1#any"

    def __enter__(self) -> BrainServer:
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.open()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def open(self) -> None:
        """Let all answers go, now and from now on."""
        self._open.set()

    def next_asked(self) -> str:
        """The next question, as soon as one comes."""
        return self.asked.get(timeout=WAIT_S)
