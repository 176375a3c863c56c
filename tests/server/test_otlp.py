"""OTLP over gRPC, to a collector in this file; over HTTP: test_encoding_metrics.py."""

import sys
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2 as metrics_messages,
)
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_messages
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_service

from affekt.errors import AffektError, MissingExtraError
from affekt.server import encoding_metrics, otlp, tracing

PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"


class Collector(trace_service.TraceServiceServicer, metrics_service.MetricsServiceServicer):
    """Takes traces and metrics; `requests` has all of them."""

    def __init__(self):
        self.requests = []

    def Export(self, request, context):
        self.requests.append(request)
        if isinstance(request, trace_messages.ExportTraceServiceRequest):
            return trace_messages.ExportTraceServiceResponse()
        return metrics_messages.ExportMetricsServiceResponse()


@pytest.fixture
def collector(monkeypatch):
    """A collector whose address is in the environment."""
    servicer = Collector()
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool)
        trace_service.add_TraceServiceServicer_to_server(servicer, server)
        metrics_service.add_MetricsServiceServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        monkeypatch.setenv(PROTOCOL, "grpc")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{port}")
        yield servicer
        server.stop(None).wait()


def test_spans_are_sent_by_grpc(collector, monkeypatch):
    monkeypatch.setattr(tracing, "_tracer", None)
    monkeypatch.setattr(tracing, "_provider", None)
    tracing.start_tracing()
    with tracing.span("recognise", {"affekt.model": "default"}):
        pass
    tracing.flush()
    [request] = collector.requests
    [of_resource] = request.resource_spans
    [scope] = of_resource.scope_spans
    assert [span.name for span in scope.spans] == ["recognise"]
    assert [a.value.string_value for a in scope.spans[0].attributes] == ["default"]


def test_metrics_are_sent_by_grpc(collector):
    encoding_metrics.start_metrics()
    encoding_metrics.record_encoded("default", 5, 1.5)
    encoding_metrics.stop_metrics()
    [of_resource] = collector.requests[-1].resource_metrics
    [scope] = of_resource.scope_metrics
    sums = {metric.name: metric.histogram.data_points[0].sum for metric in scope.metrics}
    assert sums == {"affekt.batch.size": 5, "affekt.encode.duration": 1.5}


def test_the_protocol_of_one_signal_goes_before(monkeypatch):
    monkeypatch.setenv(PROTOCOL, "grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_PROTOCOL", "http/protobuf")
    assert ".grpc." in otlp.exporters_of("traces").__name__
    assert ".http." in otlp.exporters_of("metrics").__name__


def test_another_protocol_is_refused(monkeypatch):
    monkeypatch.setenv(PROTOCOL, "http/json")
    with pytest.raises(AffektError, match=rf"\${PROTOCOL} is http/json; it may be http/protobuf"):
        otlp.exporters_of("traces")


@pytest.mark.parametrize("module", ["grpc", otlp.PACKAGES["grpc"]])
def test_a_missing_package_is_named(monkeypatch, module):
    for name in [n for n in sys.modules if n.startswith(otlp.PACKAGES["grpc"])]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setenv(PROTOCOL, "grpc")
    with pytest.raises(MissingExtraError, match=r"--traces needs the extra 'telemetry': pip"):
        otlp.exporters_of("traces")
