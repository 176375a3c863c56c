"""Modules of the page that need no document, run in the browser."""

import io
import zipfile

import numpy as np
import pytest


@pytest.fixture(scope="module")
def run(browser, server):
    """Runs JavaScript with a module of the page."""
    page = browser.new_page()
    page.goto(server)

    def evaluate(module: str, body: str, argument=None):
        script = f"async (argument) => {{ const m = await import('/page/{module}'); {body} }}"
        return page.evaluate(script, argument)

    return evaluate


ANNOTATION = {
    "channel": 0, "speaker": "", "mark": "", "comment": "", "recognised": "", "model": "",
    "drawn": False,
}  # fmt: skip


def annotation(start: float, end: float, label: str, **values) -> dict:
    return {**ANNOTATION, "start": start, "end": end, "label": label, **values}


def test_label_of_the_whole_leaves_labels_of_parts(run):
    parts = [annotation(0, 1, "fear"), annotation(1, 2, "anger")]
    change = run(
        "annotations.js",
        'return m.set(argument, { start: 0, end: 2 }, { label: "sadness" });',
        parts,
    )
    assert change["removed"] == []
    labels = run(
        "annotations.js", "return m.apply(...argument).map((a) => a.label);", [parts, change]
    )
    assert labels == ["sadness", "fear", "anger"]


def test_split_merge_and_their_inverse(run):
    before = [annotation(0, 2, "fear", comment="loud")]
    halves, joined, undone = run(
        "annotations.js",
        """const split = m.split(argument, argument[0], 0.5);
        const halves = m.apply(argument, split);
        const merge = m.merge(halves, halves[0], halves[1]);
        return [halves, m.apply(halves, merge), m.apply(halves, m.inverse(split))];""",
        before,
    )
    spans = [(a["start"], a["end"], a["label"], a["comment"]) for a in halves]
    assert spans == [(0, 0.5, "fear", "loud"), (0.5, 2, "fear", "")]
    assert joined == [{**before[0], "drawn": True}]
    assert undone == before


@pytest.mark.parametrize("time", [0, 0.03, 1.99, 2, 3])
def test_split_at_an_edge_is_refused(run, time):
    before = annotation(0, 2, "fear")
    assert run("annotations.js", f"return m.split([argument], argument, {time});", before) is None


def prediction(start: float, duration: float, probabilities: dict, **values) -> dict:
    label = max(probabilities, key=probabilities.get)
    segment = {
        "start": start, "end": start + duration, "label": label, "probabilities": probabilities,
        "attention": 1,
    }  # fmt: skip
    return {
        "start": start, "duration": duration, "label": label, "probabilities": probabilities,
        "confidence": max(probabilities.values()), "segments": [segment], "channel": 0,
        "speaker": "", "rejection_reason": "", **values,
    }  # fmt: skip


def test_short_recording_is_one_unit_and_a_long_one_has_its_utterances(run):
    two = [
        prediction(0, 1, {"anger": 0.9, "fear": 0.1}),
        prediction(2, 3, {"anger": 0.2, "fear": 0.8}),
    ]
    body = """const rows = m.rowsOf(argument[0], argument[1], []);
        return m.units(rows).map(({ kind, label, share }) => [kind, label, share]);"""
    [[kind, label, share]] = run("rows.js", body, [6, two])
    assert (kind, label) == ("recording", "fear")
    assert share == pytest.approx((0.1 * 1 + 0.8 * 3) / 4)
    long = run("rows.js", body, [60, two])
    assert [kind for kind, *_ in long] == ["utterance", "utterance"]


def test_without_a_duration_the_utterances_are_the_units(run):
    """While a job runs, the duration of its recording may be unknown."""
    two = [prediction(0, 1, {"anger": 1.0}), prediction(2, 3, {"fear": 1.0})]
    body = """return [0, 6].map((duration) =>
        m.units(m.rowsOf(duration, argument, [])).map(({ kind }) => kind));"""
    assert run("rows.js", body, two) == [["utterance", "utterance"], ["recording"]]


def test_unit_is_done_when_half_of_it_is_labelled(run):
    unit = {"start": 0, "end": 4, "channel": 0}
    cases = {
        "nothing": [],
        "one quarter": [annotation(0, 1, "fear")],
        "the same quarter twice": [annotation(0, 1, "fear"), annotation(0, 1.5, "anger")],
        "two quarters": [annotation(0, 1, "fear"), annotation(2, 3, "anger")],
        "a comment only": [annotation(0, 4, "", comment="?")],
        "unusable": [annotation(0, 4, "", mark="unusable")],
        "more than it": [annotation(0, 9, "fear")],
    }
    done = run(
        "rows.js",
        "return argument[1].map((a) => m.isDone(argument[0], a));",
        [unit, [*cases.values()]],
    )
    assert dict(zip(cases, done, strict=True)) == {
        "nothing": False, "one quarter": False, "the same quarter twice": False,
        "two quarters": True, "a comment only": False, "unusable": True, "more than it": True,
    }  # fmt: skip


def test_overlapping_voices_are_not_nested(run):
    two = [
        prediction(0, 40, {"anger": 1.0}, speaker="speaker 1"),
        prediction(5, 2, {"fear": 1.0}, speaker="speaker 2"),
        prediction(45, 9, {"fear": 1.0}, speaker="speaker 1"),
    ]
    depths = run("rows.js", "return m.rowsOf(60, argument, []).map(({ depth }) => depth);", two)
    assert depths == [0, 0, 0]


def test_of_overlapping_labels_only_the_smaller_are_adapted_to(run):
    recording = {
        "name": "a.wav", "speaker": "Ann",
        "annotations": [
            annotation(0, 4, "anger"), annotation(1, 2, "fear"), annotation(2, 4, "anger"),
            annotation(4, 5, "anger"), annotation(1, 2, "fear", channel=1),
            annotation(6, 7, "", mark="unsure"), annotation(8, 9, "", comment="?"),
        ],
    }  # fmt: skip
    chosen, counts, speakers = run(
        "export.js",
        """const { counts, speakers } = m.material([argument]);
        const chosen = m.separateExamples(argument).map(({ start, end }) => [start, end]);
        return [chosen, [...counts], [...speakers]];""",
        recording,
    )
    assert chosen == [[1, 2], [4, 5], [2, 4]]
    assert counts == [["fear", 1], ["anger", 2]]
    assert speakers == ["Ann"]


def test_order_by_doubt_and_by_disagreement(run):
    sure, doubtful = {"anger": 0.9, "fear": 0.1}, {"anger": 0.45, "fear": 0.55}
    first = {
        "sure": [prediction(0, 1, sure)],
        "doubtful": [prediction(0, 1, sure), prediction(2, 1, doubtful)],
        "uncertain": [prediction(0, 1, sure, label="uncertain")],
        "no result": None,
    }
    second = {**first, "sure": [prediction(0, 1, {"anger": 0.1, "fear": 0.9})], "uncertain": None}
    order = """const [names, first, second] = argument;
        return ["added", "doubt", "disagreement"].map((order) =>
            m.ordered(names, order, (name) => first[name], (name) => second[name]));"""
    names = ["no result", "sure", "doubtful", "uncertain"]
    added, doubt, disagreement = run("triage.js", order, [names, first, second])
    assert added == names
    assert doubt == ["uncertain", "doubtful", "sure", "no result"]
    assert disagreement == ["sure", "doubtful", "no result", "uncertain"]


def test_share_text_names_two_classes_that_are_close(run):
    texts = run(
        "summary.js",
        "return argument.map(([label, share, probabilities]) =>"
        " m.shareText({ label, share, probabilities }));",
        [
            ["surprise", 0.34, {"surprise": 0.34, "happiness": 0.28, "fear": 0.2}],
            ["anger", 0.6, {"anger": 0.6, "fear": 0.4}],
            ["uncertain", 0.4, {"anger": 0.4, "fear": 0.3}],
        ],
    )
    assert texts == ["surprise 34\xa0%, happiness 28\xa0%", "anger 60\xa0%", "uncertain"]


def test_unzip_reads_stored_and_deflated_files(run):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("other/first.txt", b"no")
        file.writestr("corrections/labels.json", b"stored")
        file.writestr("x/deflated.json", b"deflated " * 50, zipfile.ZIP_DEFLATED)
        file.comment = b"a comment after the directory"
    read = """const blob = new Blob([new Uint8Array(argument)]);
        const text = async (name) => new TextDecoder().decode(await m.unzip(blob, name));
        const missing = await m.unzip(blob, "absent").catch((error) => error.message);
        return [await text("corrections/labels.json"), await text("deflated.json"), missing];"""
    stored, deflated, missing = run("zip.js", read, list(archive.getvalue()))
    assert (stored, deflated, missing) == ("stored", "deflated " * 50, "no absent")


def test_powers_are_those_of_numpy(run):
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, 2048)
    found = run(
        "spectrum.js", "return [...m.powers(Float32Array.from(argument), 0.064)];", samples.tolist()
    )
    window = samples.astype(np.float32)[1024 - 256 : 1024 + 256] * (
        0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    )
    expected = 10 * np.log10(np.abs(np.fft.rfft(window)[:256]) ** 2 + 1e-9)
    assert np.allclose(found, expected, atol=1e-3)


@pytest.mark.parametrize("hertz", [80, 123, 220, 400])
def test_pitch_of_a_harmonic_tone(run, hertz):
    time = np.arange(3200) / 16_000
    tone = sum(np.sin(2 * np.pi * hertz * k * time) / k for k in (1, 2, 3))
    noise = np.random.default_rng(0).normal(0, 0.3, 3200)
    both = "return argument.map((s) => m.pitchAt(Float32Array.from(s), 0.1));"
    voiced, unvoiced = run("spectrum.js", both, [tone.tolist(), noise.tolist()])
    assert voiced == pytest.approx(hertz, rel=0.02)
    assert unvoiced == 0


def test_live_pauses_divide_the_segments(run):
    def segment(start: float) -> dict:
        return {"start": start, "end": start + 0.96, "label": "fear", "attention": 1,
                "probabilities": {"fear": 1.0}}  # fmt: skip

    starts = [0, 0.24, 0.48, 4, 4.24]
    spans = run(
        "live.js", "return m.liveSpans(argument).map(({ start, end }) => [start, end]);",
        [segment(start) for start in starts],
    )  # fmt: skip
    assert spans[2][1] == pytest.approx(1.44)
    assert spans[3][0] == 4
