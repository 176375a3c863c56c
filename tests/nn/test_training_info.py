"""Records of a training: what is read is what was written, under the same keys."""

import json

import pytest
from helpers import ROOT
from pydantic import ValidationError

from affekt.nn.bundled import bundled_models
from affekt.nn.model_config import FILE, read_model_config
from affekt.nn.training_info import CorpusInfo, TrainingInfo

OF_VERSION_0_1 = ROOT / "tests/data/model-0.1.json"


@pytest.mark.parametrize("place", [bundled_models()["default"] / FILE, OF_VERSION_0_1])
def test_the_record_of_a_model_is_written_as_it_was_read(place, tmp_path):
    (tmp_path / FILE).write_text(place.read_text())
    stored = json.loads(place.read_text())["training"]
    assert read_model_config(tmp_path).training.to_json() == stored


def test_the_license_of_a_corpus_is_stored_under_terms():
    info = TrainingInfo(corpus=CorpusInfo(name="mine", license="CC0"))
    assert info.to_json() == {"corpus": {"name": "mine", "terms": "CC0"}}
    assert TrainingInfo.model_validate(info.to_json()) == info


def test_only_fields_that_were_set_are_written_and_unknown_ones_remain():
    info = TrainingInfo.model_validate({"seed": 3, "C": 0.1, "trees": 500})
    assert info.to_json() == {"seed": 3, "C": 0.1, "trees": 500}
    assert info.with_values(fold=2).to_json() == {"seed": 3, "fold": 2, "C": 0.1, "trees": 500}


def test_a_record_of_the_wrong_type_is_refused_and_a_record_does_not_change():
    with pytest.raises(ValidationError):
        TrainingInfo.model_validate({"seed": "first"})
    with pytest.raises(ValidationError):
        TrainingInfo().seed = 1
