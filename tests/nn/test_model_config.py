import json

import pytest
from helpers import ROOT

from affekt import CheckpointError
from affekt.config import Config
from affekt.nn.model_config import ModelConfig, read_model_config


def test_a_model_of_an_earlier_version_is_read_under_the_current_names(tmp_path):
    text = (ROOT / "tests/data/model-0.1.json").read_text()
    (tmp_path / "config.json").write_text(text)
    stored, about = json.loads(text), read_model_config(tmp_path)
    assert stored.keys() >= {"note"}
    assert about.intended_use == stored["note"]
    assert stored["config"]["stage1"]["head_rate"] == about.config.stage1.head_learning_rate
    assert about.license == stored["config"]["terms"]


def test_a_license_in_the_config_overrides_that_of_the_corpora():
    config = Config(license="for my lab only")
    values = {"labels": ["a"], "encoder_origin": "", "training": {"corpus": {"terms": "CC0"}}}
    assert ModelConfig(config=config, **values).license == "for my lab only"
    assert ModelConfig(config=Config(), **values).license == "CC0"


def test_what_is_written_is_read_again(tmp_path):
    about = ModelConfig(format=2, name="m", labels=["a"], encoder_origin="x", config=Config())
    (tmp_path / "config.json").write_text(json.dumps(about.to_json()))
    assert read_model_config(tmp_path) == about
    assert set(about.to_json()["config"]) == set(Config.model_fields)  # defaults are written too


def test_a_missing_key_is_named(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"format": 2, "config": {}}))
    with pytest.raises(CheckpointError, match="labels"):
        read_model_config(tmp_path)
