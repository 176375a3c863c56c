"""Metrics by OTLP, as a receiver in this file decodes them."""

import os
import signal
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import httpx
import pytest
from helpers import DEMO, form, free_port, serve_command
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from prometheus_client.parser import text_string_to_metric_families

from affekt.errors import MissingExtraError
from affekt.server import encoding_metrics


class Receiver(HTTPServer):
    """Takes OTLP over HTTP; what came last is in `resource` and `points`."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server_port}"
        self.requests = []

    def points(self):
        """Of the last request, by name of the metric: its unit and its data points."""
        [of_resource] = self.requests[-1][1].resource_metrics
        return {
            metric.name: (metric.unit, getattr(metric, metric.WhichOneof("data")).data_points)
            for scope in of_resource.scope_metrics
            for metric in scope.metrics
        }

    def resource(self):
        [of_resource] = self.requests[-1][1].resource_metrics
        return attributes(of_resource.resource)


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        request = ExportMetricsServiceRequest.FromString(body)
        self.server.requests.append(((self.path, dict(self.headers)), request))
        answer = ExportMetricsServiceResponse().SerializeToString()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *arguments):
        """Write nothing."""


def attributes(owner):
    return {pair.key: pair.value.string_value for pair in owner.attributes}


@pytest.fixture
def receiver():
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_waits_and_what_was_encoded_is_sent(receiver, monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{receiver.address}/own/path")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_HEADERS", "x-tenant=speech")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=one,site=lab")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "emotions")
    encoding_metrics.start_metrics()
    encoding_metrics.record_queued("default", "background", 3)
    encoding_metrics.record_taken("default", "background", 2, 0.3)
    encoding_metrics.record_encoded("default", 2, 1.5)
    encoding_metrics.record_encoded("default", 40, 4.0)
    encoding_metrics.stop_metrics()
    path, headers = receiver.requests[-1][0]
    assert (path, headers["x-tenant"]) == ("/own/path", "speech")
    assert receiver.resource().items() >= {
        "service.name": "emotions", "service.instance.id": "one", "site": "lab",
    }.items()  # fmt: skip
    points = receiver.points()
    unit, [queued] = points["affekt.queue.size"]
    assert (unit, queued.as_int) == ("{recording}", 1)
    assert attributes(queued) == {"affekt.model": "default", "affekt.kind": "background"}
    unit, [waited] = points["affekt.queue.duration"]
    assert (unit, waited.count, waited.sum) == ("s", 1, 0.3)
    unit, [encoded] = points["affekt.encode.duration"]
    assert (unit, encoded.count, encoded.sum, encoded.max) == ("s", 2, 5.5, 4.0)
    assert attributes(encoded) == {"affekt.model": "default"}
    unit, [batch] = points["affekt.batch.size"]
    assert (unit, batch.count, batch.sum) == ("{recording}", 2, 42)
    limits = [1, 2, 4, 8, 16, 32, 64]
    assert list(batch.explicit_bounds) == limits
    assert list(batch.bucket_counts) == [0, 1, 0, 0, 0, 0, 1, 0]


def test_a_server_sends_what_prometheus_reads(receiver, tmp_path):
    telemetry = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.address}
    process = serve_command(tmp_path, port := free_port(), "--metrics", env=os.environ | telemetry)
    try:
        address = f"http://127.0.0.1:{port}"
        for file in DEMO[:2]:
            answer = httpx.post(
                f"{address}/v1/recognise", **form(file.read_bytes(), "secret.flac"), timeout=60
            )
            assert answer.status_code == 200, answer.text
        text = httpx.get(f"{address}/metrics").text
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
    samples = {
        sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.labels.get("kind", "interactive") == "interactive"
    }
    assert receiver.requests[-1][0][0] == "/v1/metrics", errors
    assert receiver.resource()["service.name"] == "affekt"
    points = receiver.points()
    [queued] = points["affekt.queue.size"][1]
    assert queued.as_int == samples["affekt_queued_recordings"] == 0
    for name, twin in (
        ("affekt.batch.size", "affekt_batch_recordings"),
        ("affekt.encode.duration", "affekt_encode_seconds"),
        ("affekt.queue.duration", "affekt_queue_seconds"),
    ):
        [point] = points[name][1]
        assert point.count == samples[f"{twin}_count"] == 2
        assert point.sum == pytest.approx(samples[f"{twin}_sum"])
        assert point.sum > 0
    assert b"secret" not in receiver.requests[-1][1].SerializeToString()


def test_without_the_option_only_prometheus_has_them():
    before = encoding_metrics.BATCHES._sum.get()
    encoding_metrics.record_encoded("default", 5, 1.0)
    assert encoding_metrics.BATCHES._sum.get() == before + 5
    encoding_metrics.stop_metrics()


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(MissingExtraError, match=r"--metrics needs the extra 'telemetry': pip"):
        encoding_metrics.start_metrics()
