"""Traces and errors reach whoever the environment names, and nobody else; no secret goes with them."""

import gzip
import http.server
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.conftest import PASSWORD, run, serving, sign_up, wait_until


class Collector(http.server.ThreadingHTTPServer):
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.received: list[tuple[str, bytes]] = []
        super().__init__(("127.0.0.1", 0), Handler)

    def at(self, path: str) -> list[bytes]:
        return [body for found, body in self.received if found.startswith(path)]


class Handler(http.server.BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.server.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def collecting() -> Iterator[Collector]:
    with Collector() as collector:
        thread = threading.Thread(target=collector.serve_forever)
        thread.start()
        yield collector
        collector.shutdown()
        thread.join()


def test_a_request_is_a_trace_with_its_queries_where_a_collector_is_named(
    environment: dict[str, str],
) -> None:
    with collecting() as collector:
        endpoint = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}"}
        told = {**environment, **endpoint, "ENVIRONMENT": "dev"}
        with serving(told) as (api, _process), sign_up(api) as user:
            user.get("/conversations")
            user.get("/health/ready")
        bodies = collector.at("/v1/traces")  # the server has ended: all is sent
    exported = [ExportTraceServiceRequest.FromString(body) for body in bodies]
    resources = [resource for request in exported for resource in request.resource_spans]
    attributes = {a.key: a.value.string_value for r in resources for a in r.resource.attributes}
    assert attributes["service.name"] == "slipway-api"
    assert attributes["deployment.environment.name"] == "dev"
    spans = [span for resource in resources for scope in resource.scope_spans for span in scope.spans]
    [request] = [span for span in spans if span.name == "GET /conversations"]
    children = {span.name for span in spans if span.trace_id == request.trace_id} - {request.name}
    assert "SELECT" in children
    assert "EVALSHA" in children
    assert not [span.name for span in spans if "health" in span.name]
    for secret in [PASSWORD, environment["JWT_SECRET"], user.headers["Authorization"].split()[1]]:
        assert all(secret.encode() not in body for body in bodies)


def test_an_error_reaches_sentry_with_its_request_and_without_what_was_sent(
    environment: dict[str, str],
) -> None:
    with collecting() as collector:
        dsn = {"SENTRY_DSN": f"http://key@127.0.0.1:{collector.server_port}/1"}
        with serving({**environment, **dsn}) as (api, _process):
            with psycopg.connect(environment["DATABASE_URL"], autocommit=True) as connection:
                connection.execute("ALTER TABLE audit_log RENAME TO audit_log_away")
                try:
                    account = {"email": f"{uuid.uuid4().hex}@example.com", "password": PASSWORD}
                    assert api.post("/users", json=account).status_code == 500
                finally:
                    connection.execute("ALTER TABLE audit_log_away RENAME TO audit_log")
            wait_until(lambda: any(b"UndefinedTable" in body for body in collector.at("/api/1/envelope")))
        bodies = b"".join(collector.at("/api/1/envelope"))
    assert b'"environment":"local"' in bodies
    for secret in [PASSWORD, account["email"], environment["JWT_SECRET"], "app:pw@"]:
        assert secret.encode() not in bodies


def test_what_is_not_configured_is_not_even_imported(environment: dict[str, str]) -> None:
    # Together they would take a fifth of the memory of a process.
    program = "import sys, slipway_app.api as api; api.create_app(); print(*sorted(sys.modules))"
    loaded = set(run(environment, "-c", program).stdout.split())
    assert "slipway_app.telemetry" in loaded
    assert not loaded & {"sentry_sdk", "opentelemetry.sdk.trace", "opentelemetry.instrumentation.redis"}
    configured = {**environment, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1"}
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=configured, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "opentelemetry.sdk.trace" in ended.stdout.split()
