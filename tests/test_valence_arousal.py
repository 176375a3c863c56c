"""Arousal and valence are the mean position of the classes, and missing where a class has none."""

from dataclasses import replace

import pytest
from helpers import spoken

from affekt.types import Prediction
from affekt.valence_arousal import Position, position

LABELS = ["anger", "neutral", "sadness"]


def test_the_position_is_weighted_by_the_probabilities():
    # 0.5 * -0.51 + 0.25 * 0.81 + 0.25 * 0 and 0.5 * 0.59 + 0.25 * 0.51 + 0.25 * 0
    found = position({"anger": 0.5, "Happiness": 0.25, "neutral": 0.25})
    assert found == Position(valence=-0.0525, arousal=0.4225)


def test_a_class_without_a_position_leaves_none():
    assert position({"anger": 0.9, "ironic": 0.1}) is None
    assert position({"anger": 1.0, "calm": 0.0}) is None
    assert position({}) is None


def test_a_prediction_has_arousal_and_valence_and_its_json_too():
    prediction = spoken(0.0, "sadness", LABELS)
    assert prediction.arousal == pytest.approx(0.1 * 0.59 + 0.7 * -0.27)
    values = prediction.to_dict()
    assert (values["arousal"], values["valence"]) == (prediction.arousal, prediction.valence)
    assert "arousal" not in values["segments"][0]
    assert prediction.segments[0].valence is not None
    assert Prediction.from_dict(values) == prediction


def test_no_emotion_has_no_position():
    rejected = spoken(0.0, "sadness", LABELS, "silent")
    assert rejected.arousal is None
    assert replace(rejected.segments[0], label="uncertain").valence is None
    assert rejected.to_dict()["valence"] is None
    own = replace(rejected, label="x", probabilities={"x": 1.0}, rejection_reason="")
    assert own.arousal is None
