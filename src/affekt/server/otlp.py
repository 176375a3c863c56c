"""Exporters of OpenTelemetry by OTLP, over HTTP or gRPC as the environment variables say."""

import os
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Literal

from ..errors import AffektError
from ..extras import optional_import

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricExporter
    from opentelemetry.sdk.trace.export import SpanExporter

Signal = Literal["traces", "metrics"]
PACKAGES = {
    "http/protobuf": "opentelemetry.exporter.otlp.proto.http",
    "grpc": "opentelemetry.exporter.otlp.proto.grpc",
}
FLUSH = 5000  # ms in which the last spans and metrics are sent


def span_exporter() -> "SpanExporter":
    """Where spans are sent; raises as `exporters_of`."""
    os.environ.setdefault("OTEL_SERVICE_NAME", "affekt")
    exporter: SpanExporter = exporters_of("traces").OTLPSpanExporter()
    return exporter


def metric_exporter() -> "MetricExporter":
    """Where metrics are sent; raises as `exporters_of`."""
    os.environ.setdefault("OTEL_SERVICE_NAME", "affekt")
    exporter: MetricExporter = exporters_of("metrics").OTLPMetricExporter()
    return exporter


def exporters_of(signal: Signal) -> ModuleType:
    """Module of the exporters of a signal.

    ``OTEL_EXPORTER_OTLP_PROTOCOL``, or that of the signal alone, chooses between HTTP and gRPC.

    Raises:
        AffektError: There is no such protocol.
        MissingExtraError: The extra is not installed.
    """
    names = f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"
    given = [(name, value) for name in names if (value := os.environ.get(name, "").strip())]
    name, protocol = given[0] if given else ("", "http/protobuf")
    if protocol not in PACKAGES:
        raise AffektError(f"${name} is {protocol}; it may be {' or '.join(PACKAGES)}")
    with optional_import(f"--{signal}"):
        import_module("opentelemetry.sdk")
        return import_module(f"{PACKAGES[protocol]}.{signal.removesuffix('s')}_exporter")
