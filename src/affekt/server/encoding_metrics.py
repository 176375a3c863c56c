"""Metrics of what waits to be encoded, and of the batches: for Prometheus and OpenTelemetry.

Prometheus reads them at ``/metrics``. With ``--metrics`` they are also sent by OTLP. Attributes are
names of models and kinds of tasks: no file names, no results.
"""

import uuid
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import Gauge, Histogram

from .otlp import FLUSH, metric_exporter

if TYPE_CHECKING:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider

SIZES = (1, 2, 4, 8, 16, 32, 64)  # buckets of recordings
SECONDS = Histogram.DEFAULT_BUCKETS[:-1]  # buckets of OpenTelemetry have no infinity
QUEUED = Gauge(
    "affekt_queued_recordings",
    "Recordings that wait to be encoded.",
    ["kind"],  # interactive (requests, streams, short jobs) or background (long jobs)
    multiprocess_mode="livesum",
)
WAITING = Histogram(
    "affekt_queue_seconds", "Time that recordings wait to be encoded, in seconds.", ["kind"]
)
ENCODING = Histogram(
    "affekt_encode_seconds",
    "Duration of encoding a batch, of requests with utterances and classes, in seconds.",
)
BATCHES = Histogram("affekt_batch_recordings", "Recordings of a batch.", buckets=SIZES)


class _Instruments(NamedTuple):
    """The same metrics as OpenTelemetry has them."""

    provider: "MeterProvider"
    queued: "metrics.UpDownCounter"
    waiting: "metrics.Histogram"
    encoding: "metrics.Histogram"
    batches: "metrics.Histogram"


_instruments: _Instruments | None = None


def start_metrics() -> None:
    """Send metrics from now on, as the environment variables ``OTEL_...`` say."""
    global _instruments
    exporter = metric_exporter()
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    # Several worker processes send series of the same names; the id keeps them apart.
    resource = Resource({"service.instance.id": str(uuid.uuid4())}).merge(Resource.create())
    provider = MeterProvider([PeriodicExportingMetricReader(exporter)], resource)
    meter = provider.get_meter("affekt")
    _instruments = _Instruments(
        provider,
        meter.create_up_down_counter(
            "affekt.queue.size", "{recording}", "Recordings that wait to be encoded."
        ),
        meter.create_histogram(
            "affekt.queue.duration", "s", "Time that recordings wait to be encoded.",
            explicit_bucket_boundaries_advisory=SECONDS,
        ),
        meter.create_histogram(
            "affekt.encode.duration", "s", "Duration of a batch; of requests, with classes.",
            explicit_bucket_boundaries_advisory=SECONDS,
        ),
        meter.create_histogram(
            "affekt.batch.size", "{recording}", "Recordings of a batch.",
            explicit_bucket_boundaries_advisory=SIZES,
        ),
    )  # fmt: skip


def stop_metrics() -> None:
    """Send the last values, and no more."""
    global _instruments
    if _instruments:
        _instruments.provider.shutdown(FLUSH)
        _instruments = None


def record_queued(model: str, kind: str, recordings: int) -> None:
    """Record that recordings wait to be encoded.

    Args:
        model: Name of the model.
        kind: interactive or background.
        recordings: Their number.
    """
    QUEUED.labels(kind).inc(recordings)
    if _instruments:
        _instruments.queued.add(recordings, {"affekt.model": model, "affekt.kind": kind})


def record_taken(model: str, kind: str, recordings: int, seconds: float) -> None:
    """Record that recordings have been taken from the queue into a batch.

    Args:
        model: Name of the model.
        kind: interactive or background.
        recordings: Their number.
        seconds: For which they waited.
    """
    QUEUED.labels(kind).dec(recordings)
    WAITING.labels(kind).observe(seconds)
    if _instruments:
        attributes = {"affekt.model": model, "affekt.kind": kind}
        _instruments.queued.add(-recordings, attributes)
        _instruments.waiting.record(seconds, attributes)


def record_encoded(model: str, recordings: int, seconds: float) -> None:
    """Record a batch that has been encoded.

    Args:
        model: Name of the model.
        recordings: Number of its recordings.
        seconds: That encoding took.
    """
    BATCHES.observe(recordings)
    ENCODING.observe(seconds)
    if _instruments:
        attributes = {"affekt.model": model}
        _instruments.batches.record(recordings, attributes)
        _instruments.encoding.record(seconds, attributes)
