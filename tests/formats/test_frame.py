"""A table of predictions has the index of audformat and the numbers of the predictions."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from helpers import spoken

import affekt

LABELS = ["anger", "neutral"]


@pytest.fixture
def predictions():
    first = replace(spoken(0.0, "anger", LABELS), channel=2)
    return [first, spoken(3700.25, "neutral", LABELS, "not speech")]


def test_one_row_for_each_recording(predictions):
    frame = affekt.to_frame(predictions, per="recording")
    columns = ["label", "confidence", "channel", "speaker", "rejection_reason", "model"]
    assert list(frame.columns) == [*columns, "prob_anger", "prob_neutral", "arousal", "valence"]
    assert frame["arousal"].iloc[0] == pytest.approx(0.7 * 0.59, abs=1e-4)
    assert np.isnan(frame["arousal"].iloc[1])
    assert frame["label"].tolist() == ["anger", "uncertain"]
    assert frame["rejection_reason"].tolist() == ["", "not speech"]
    assert frame["channel"].tolist() == [2, 0]
    assert frame["prob_neutral"].tolist() == [0.1, 0.7]
    start, end = (frame.index.get_level_values(k) / pd.Timedelta("1s") for k in ("start", "end"))
    assert start.tolist() == [0.0, 3700.25]
    assert end.tolist() == [1.92, 3702.17]


def test_one_row_for_each_segment(predictions):
    frame = predictions[0].to_frame()
    assert frame["label"].tolist() == ["anger", "anger", "neutral"]
    assert frame["confidence"].tolist() == [0.7] * 3
    assert frame["attention"].sum() == pytest.approx(1)
    assert frame["valence"].tolist() == [pytest.approx(0.7 * -0.51)] * 3
    starts = frame.index.get_level_values("start") / pd.Timedelta("1s")
    assert starts.tolist() == [0.0, 0.48, 0.96]
    assert len(affekt.to_frame(predictions)) == 6


def test_the_index_is_audformats(predictions):
    audformat = pytest.importorskip("audformat")
    frame = affekt.to_frame(predictions, per="recording")
    ours = audformat.segmented_index([p.file for p in predictions], [0.0, 3700.25], [1.92, 3702.17])
    assert frame.index.equals(ours)
    assert audformat.index_type(affekt.to_frame([]).index) == "segmented"
    assert audformat.utils.to_segmented_index(frame).equals(frame)


def test_a_class_that_a_model_lacks_is_a_missing_value(predictions):
    other = replace(predictions[0], probabilities={"anger": 0.4, "fear": 0.6})
    frame = affekt.to_frame([predictions[0], other], per="recording")
    assert np.isnan(frame["prob_fear"].iloc[0])
    assert frame["prob_fear"].iloc[1] == 0.6


def test_an_unknown_row_is_refused(predictions):
    with pytest.raises(ValueError, match="choose 'recording' or 'segment'"):
        affekt.to_frame(predictions, per="file")
