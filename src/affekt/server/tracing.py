"""Traces of OpenTelemetry: how long recordings wait, are encoded and recognised; off by default.

Attributes of spans are names of models, durations and counts: no file names, no results.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .otlp import FLUSH, span_exporter

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer

Attributes = Mapping[str, str | int | float]
_tracer: "Tracer | None" = None
_provider: "TracerProvider | None" = None


def start_tracing(exporter: "SpanExporter | None" = None) -> None:
    """Record spans from now on, in this process.

    Args:
        exporter: Where they are sent; by default as the environment variables
            ``OTEL_EXPORTER_OTLP_...`` say.
    """
    global _provider, _tracer
    exporter = exporter or span_exporter()
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    _provider = TracerProvider()
    _provider.add_span_processor(BatchSpanProcessor(exporter))
    _tracer = _provider.get_tracer("affekt")


def flush() -> None:
    """Send the spans that were recorded."""
    if _provider:
        _provider.force_flush(FLUSH)


@contextmanager
def span(
    name: str, attributes: Attributes, headers: Mapping[str, str] | None = None
) -> Iterator[Any]:
    """Record a block as a span, below the one that is current.

    Args:
        name: Its name.
        attributes: Its attributes.
        headers: Of a request, which may name the span of the client (``traceparent`` of W3C).

    Yields:
        The span, or None if none are recorded.
    """
    if _tracer is None:
        yield None
        return
    from opentelemetry.trace import SpanKind, StatusCode
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = None if headers is None else TraceContextTextMapPropagator().extract(headers)
    kind = SpanKind.INTERNAL if headers is None else SpanKind.SERVER
    with _tracer.start_as_current_span(
        name, parent, kind, attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except Exception as error:  # whose text may name a file
            current.set_status(StatusCode.ERROR)
            current.set_attribute("error.type", type(error).__name__)
            raise


def current_context() -> "Context | None":
    """What spans of other threads are put below; None if none are recorded."""
    if _tracer is None:
        return None
    from opentelemetry.context import get_current

    return get_current()


def record_batch(
    model: str, tasks: Sequence[tuple["Context | None", float, float]], begun: float
) -> None:
    """Record a batch that has just been encoded, and what each of its tasks waited for.

    The batch is a trace of its own, with links to the spans that it was computed for, since it has
    several; each of these has a span ``queue`` and a span ``encode``.

    Args:
        model: Name of the model.
        tasks: Context of each task, when it was created, and its seconds of audio.
        begun: When encoding began. Times are those of `time.perf_counter`.
    """
    if _tracer is None:
        return
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, get_current_span

    now = time.perf_counter()
    offset = time.time_ns() - round(now * 1e9)  # of the clock of the spans

    def record(
        name: str, context: "Context", times: tuple[float, float], audio: float, links: Any = None
    ) -> Any:
        start, end = (round(t * 1e9) + offset for t in times)
        attributes: Attributes = {"affekt.model": model, "affekt.audio.seconds": round(audio, 3)}
        made = _tracer.start_span(
            name, context, attributes=attributes, links=links, start_time=start
        )
        made.set_attribute("affekt.batch.size", len(tasks))
        made.end(end)
        return made.get_span_context()

    links = [Link(get_current_span(context).get_span_context()) for context, _, _ in tasks]
    total = sum(audio for _, _, audio in tasks)
    batch = record("batch", Context(), (begun, now), total, links)
    for context, created, audio in tasks:
        if context is not None:
            record("queue", context, (created, begun), audio)
            record("encode", context, (begun, now), audio, [Link(batch)])
