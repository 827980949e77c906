"""A lab's own tool with our client inside: a web service that shows the runs and starts new ones.

    python run_board.py --port 8080
    curl localhost:8080/runs
    curl --data '{"app": "flights_project", "mode": 0}' localhost:8080/runs

All it needs is the package ``agi-cluster``: no Dask, no SSH library. One synchronous client serves
all its threads. It finds the daemon as every client does: by ``AGI_ADDRESS``, such as
``ssh://ann@manager``, or else on this machine.
"""

from __future__ import annotations

import argparse
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from agi_cluster.client import Client
from agi_cluster.model.requests import StartRun
from agi_cluster.model.run import Run
from agi_env.errors import AgiError, InvalidInputError, NotFoundError, RequestInvalidError
from agi_env.mode import Mode


class RunBoard(ThreadingHTTPServer):
    """Serves the runs of a daemon; each request has a thread, the client is for all of them."""

    def __init__(self, port: int, client: Client) -> None:
        super().__init__(("127.0.0.1", port), _Request)
        self.client = client


class _Request(BaseHTTPRequestHandler):
    server: RunBoard

    def do_GET(self) -> None:
        self._answer(lambda: [_shown(run) for run in self.server.client.list_runs().items])

    def do_POST(self) -> None:
        self._answer(lambda: _shown(self.server.client.start_run(self._wanted())))

    def log_message(self, *_: object) -> None:
        """Say nothing: this is a screen, not a server's log."""

    def _wanted(self) -> StartRun:
        try:
            body = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        except ValueError as error:
            raise RequestInvalidError(f"this is no JSON: {error}") from error
        if not isinstance(body, dict) or "app" not in body:
            raise RequestInvalidError("no app is named", remedy='Send {"app": NAME}')
        mode = body.get("mode")
        return StartRun(app=body["app"], mode=None if mode is None else Mode.parse(mode))

    def _answer(self, ask: Any) -> None:
        # Whatever goes wrong is one error of the catalogue, with a sentence for a person.
        try:
            status, answer = 200, ask()
        except AgiError as error:
            status = 404 if isinstance(error, NotFoundError) else 503
            status = 400 if isinstance(error, InvalidInputError) else status
            answer = {"code": error.code, "message": str(error)}
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _shown(run: Run) -> dict[str, Any]:
    progress = run.progress
    return {
        "run": run.id,
        "app": run.app,
        "mode": run.mode.words,
        "state": run.state.name,
        "done": f"{progress.succeeded} of {progress.total}",
        "error": str(run.error) if run.error else None,
    }


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="Show the runs, start new ones.")
    parser.add_argument("--port", type=int, default=8080)
    port: int = parser.parse_args().port
    with Client() as client, RunBoard(port, client) as board:
        print(f"serving http://127.0.0.1:{board.server_port}/runs", flush=True)
        board.serve_forever()


if __name__ == "__main__":
    main()
