from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers import spoken

from affekt.nn.encoders.melspec import vggish_log_mel
from affekt.report.figures.charts import save
from affekt.report.figures.outline import Outline
from affekt.report.figures.timeline import recognition

RATE = 16_000


@pytest.mark.parametrize("size", [100, 4_000, 10**6])
def test_an_outline_is_that_of_the_wave_however_it_comes(size):
    wave = np.random.default_rng(0).standard_normal(RATE).astype(np.float32) * 0.1
    outline = Outline()
    for i in range(0, len(wave), size):
        outline.push(wave[i : i + size])
    assert outline.close() == pytest.approx(1.0)
    edges, extremes, mel = outline.columns(0, 1, 1000)
    assert np.allclose(edges, np.arange(101) / 100)
    each = wave.reshape(100, 160)
    assert np.allclose(extremes, np.stack([each.min(1), each.max(1)], axis=1))
    assert np.allclose(mel[:90], vggish_log_mel(torch.from_numpy(wave))[:90], atol=0.06)
    edges, extremes, mel = outline.columns(0.2, 0.8, 6)
    assert np.allclose(edges, np.arange(2, 9) / 10)
    parts = wave[3200:12800].reshape(6, 1600)
    assert np.allclose(extremes, np.stack([parts.min(1), parts.max(1)], axis=1))
    assert mel.shape == (6, 64)


def drawn(predictions, seconds):
    outline = Outline()
    outline.push(np.zeros(round(seconds * RATE), np.float32))
    return recognition(predictions, outline)


@pytest.mark.parametrize(
    ("seconds", "rows", "end"), [(0.3, 1, 0.3), (31, 1, 31), (34, 2, 60), (260, 5, 300)]
)
def test_long_recordings_take_several_rows(seconds, rows, end, tmp_path):
    labels = ["anger", "neutral", "a $\\frac{$ <b>"]
    both = [spoken(0.1, "anger", labels), spoken(12.0, labels[2], labels, "no speech")]
    silent = replace(both[0], segments=[], label="uncertain", rejection_reason="nobody speaks")
    figure = drawn(both if seconds > 15 else [silent], seconds)
    assert len(figure.subfigs) == rows
    assert figure.subfigs[-1].axes[0].get_xlim()[1] == pytest.approx(end)
    save(figure, tmp_path / "a.png")


def test_the_title_says_what_it_shows():
    one = replace(spoken(0.0, "anger", ["anger", "neutral"]), channel=2)
    title = "a call.wav, channel 2: anger, probability 70% (model m)"
    assert drawn([one], 2)._suptitle.get_text() == title
    many = [one, one.moved(3)]
    assert "2 utterances" in drawn(many, 5)._suptitle.get_text()


def test_without_the_recording_emotion_and_attention_are_drawn(tmp_path):
    figure = spoken(2.0, "anger", ["anger", "neutral"]).plot()
    emotion, attention = figure.subfigs[0].axes
    assert (emotion.get_ylabel(), attention.get_ylabel()) == ("probability", "attention\n/ mean")
    assert attention.get_xlim() == pytest.approx((2.0, 3.92))
    assert figure._repr_png_().startswith(b"\x89PNG")
    figure.savefig(tmp_path / "a.svg")


def test_a_later_utterance_is_drawn_where_it_was_spoken():
    late = [
        spoken(100.0, "anger", ["anger", "neutral"]),
        spoken(140.0, "anger", ["anger", "neutral"]),
    ]
    figure = recognition(late)
    assert len(figure.subfigs) == 2
    assert figure.subfigs[0].axes[-1].get_xlim() == pytest.approx((100, 130))
