import pytest
from helpers import ROOT

from affekt import AffektError
from affekt.config import Config, all_keys
from affekt.recipe import read_config

RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))


def test_defaults_then_recipe_then_overrides(tmp_path):
    recipe = tmp_path / "r.toml"
    recipe.write_text('[stage2]\nhidden = 64\nepochs = 7\n[labels]\nboredom = "neutral"\n')
    config = read_config(recipe, {"stage2": {"epochs": 9}})
    assert (config.stage2.hidden, config.stage2.epochs) == (64, 9)
    assert config.stage2.dropout == Config().stage2.dropout
    assert config.labels == {"boredom": "neutral"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[stage2]\nhiden = 3", "no setting 'stage2.hiden'; did you mean 'stage2.hidden'"),
        ("[stage3]\na = 1", "no setting 'stage3'"),
        ("[stage2]\nhidden = 0", "stage2.hidden = 0"),
        ("[stage2]\ncell = 'gru'", "'lstm', 'peephole' or 'none'"),
        ("[encoder]\nname = 'vggish'\nlayer = 2", "layer belongs to whisper"),
        ("[encoder]\nwidth = 0.25", "width belongs to vggish"),
        ("[encoder]\nname = 'vggish'\nwidth = 2", "encoder.width = 2"),
        ("[encoder]\nweights = 'distilled'", "belong to vggish; the encoder is whisper"),
        ("[segments]\nhop = 0.005", "multiple of 0.01"),
        ("[segments]\nhop = 1.2", "at most 0.96"),
        ("[augment]\nspeeds = [0]", "augment.speeds.0 = 0"),
        ("stage2 = 3", "stage2 = 3"),
        ("not toml", "recipe"),
    ],
)
def test_a_wrong_recipe_is_refused_in_one_sentence(tmp_path, text, reason):
    recipe = tmp_path / "r.toml"
    recipe.write_text(text)
    with pytest.raises(AffektError, match=reason) as caught:
        read_config(recipe)
    assert "\n" not in str(caught.value)


def test_old_names_are_read_and_named(tmp_path):
    recipe = tmp_path / "old.toml"
    old = "terms = 't'\n[stage2]\nrate = 0.5\nclip = 2\n[protocol]\nsource = 'speaker'\n"
    recipe.write_text(old + "source_statistics = true")
    with pytest.warns(FutureWarning) as told:
        config = read_config(recipe)
    assert config.stage2.learning_rate == 0.5
    assert config.stage2.max_grad_norm == 2
    assert config.protocol.test_normalisation == "speaker"
    assert config.license == "t"
    assert any("stage2.rate is now stage2.learning_rate" in str(w.message) for w in told)
    assert Config.model_validate({"audio": {"level": "none"}}).audio.normalisation == "none"


def test_a_config_is_frozen_and_survives_json():
    config = Config()
    with pytest.raises(ValueError, match="frozen"):
        config.stage2.hidden = 3
    assert Config.model_validate_json(config.model_dump_json()) == config


def test_every_setting_has_a_help_text():
    for section, field in Config.model_fields.items():
        settings = getattr(field.annotation, "model_fields", {})
        for key, setting in settings.items():
            assert setting.description, f"{section}.{key}"
    assert "stage2.hidden" in all_keys()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda p: p.stem)
def test_every_recipe_of_the_project_is_valid(recipe):
    read_config(recipe)
