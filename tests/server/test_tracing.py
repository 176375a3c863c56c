"""Spans of requests, queue, batch and inference; none without the option."""

import sys

import httpx
import pytest
from helpers import DEMO, LIVELY, ended, form, serving, waited
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from affekt.errors import MissingExtraError
from affekt.server import tracing

CLIENT = "0af7651916cd43dd8448eb211c80319c"


@pytest.fixture(scope="module")
def exporter():
    exporter = InMemorySpanExporter()
    tracing.start_tracing(exporter)
    yield exporter
    tracing._tracer = None


def of(exporter, trace_id, count):
    """The spans of a trace, when there are so many."""

    def found():
        return [s for s in exporter.get_finished_spans() if s.context.trace_id == trace_id]

    waited(lambda: len(found()) >= count)
    return found()


def test_a_request_is_a_trace_below_that_of_the_client(exporter, tmp_path):
    with serving(tmp_path) as address, httpx.Client(base_url=address, timeout=60) as client:
        parent = {"traceparent": f"00-{CLIENT}-b7ad6b7169203331-01"}
        files = [("file", (file.name, file.read_bytes())) for file in DEMO[:2]]
        assert client.post("/v1/recognise", files=files, headers=parent).status_code == 200
        job = client.post("/v1/jobs", **form(LIVELY, "secret.flac")).json()["id"]
        assert ended(client, job)["status"] == "done"
        assert client.post("/v1/recognise", **form(b"x", "secret.flac")).status_code == 422
        broken = client.post("/v1/jobs", **form(LIVELY[:9000], "secret.flac")).json()["id"]
        assert ended(client, broken)["file"] == "secret.flac"
        waited(lambda: any(s.name == "job" for s in exporter.get_finished_spans()))
    spans = of(exporter, int(CLIENT, 16), 7)
    [request] = [s for s in spans if s.name == "POST /v1/recognise"]
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    assert request.attributes["http.response.status_code"] == 200
    recognised = [s for s in spans if s.name == "recognise"]
    assert {s.parent.span_id for s in recognised} == {request.context.span_id}
    assert all(s.attributes["affekt.audio.seconds"] > 2 for s in recognised)
    batches = {s.context.span_id: s for s in exporter.get_finished_spans() if s.name == "batch"}
    for one in recognised:
        below = {s.name: s for s in spans if s.parent.span_id == one.context.span_id}
        queue, encode = below["queue"], below["encode"]
        assert one.start_time <= queue.start_time <= queue.end_time == encode.start_time
        assert encode.end_time <= one.end_time
        batch = batches[encode.links[0].context.span_id]
        assert one.context.span_id in {link.context.span_id for link in batch.links}
        assert batch.attributes["affekt.batch.size"] == len(batch.links)
        assert batch.attributes["affekt.model"] == "default"
    text = "".join(s.to_json() for s in exporter.get_finished_spans())
    assert "secret" not in text
    assert DEMO[0].name not in text


def test_without_the_option_no_span_is_recorded(monkeypatch):
    monkeypatch.setattr(tracing, "_tracer", None)
    with tracing.span("a", {}) as traced:
        assert traced is None
        assert tracing.current_context() is None
    tracing.record_batch("a", [(None, 0.0, 1.0)], 0.0)


def test_a_missing_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk", None)
    with pytest.raises(MissingExtraError, match=r"--traces needs the extra 'telemetry': pip"):
        tracing.start_tracing()
