"""Predictions as JSON, in this version's keys and in those of 0.1."""

import json
from dataclasses import replace

import pytest
from helpers import spoken

from affekt.types import OLD_KEYS, Prediction

PREDICTION = replace(spoken(0.0, "anger", ["anger", "fear"], "silent"), normalisation_segments=7)


def test_a_prediction_comes_back_from_its_json():
    assert Prediction.from_dict(json.loads(json.dumps(PREDICTION.to_dict()))) == PREDICTION


def test_json_of_version_0_1_is_read():
    values = PREDICTION.to_dict()
    for new in OLD_KEYS.values():
        del values[new]
    assert Prediction.from_dict(values) == PREDICTION


def test_the_second_class_is_named_where_it_is_nearly_as_probable():
    named = replace(spoken(0.0, "anger", ["anger", "fear", "joy"]))
    for second, name in ((0.4, "fear"), (0.34, "")):
        shares = {"joy": 0.5 - second, "fear": second, "anger": 0.5}
        told = replace(named, probabilities=shares)
        assert told.second_label == told.to_dict()["second_label"] == name
    assert replace(told, rejection_reason="silent").second_label == ""


def test_an_unknown_key_is_refused():
    with pytest.raises(TypeError, match="mood"):
        Prediction.from_dict(PREDICTION.to_dict() | {"mood": 1})
