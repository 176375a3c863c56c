"""A corpus layout of the user: a function from a folder to examples, checked."""

from pathlib import Path

import pytest
import soundfile
from helpers import RATE, voice

from affekt import AffektError, CorpusError, Example, LoadedExamples
from affekt.corpora.own_layout import load_layout, split_source
from affekt.corpora.published import PublishedCorpus
from affekt.corpora.registry import load_corpus


def load(root: Path) -> LoadedExamples:
    """Files ``SPEAKER-LABEL-TAKE.wav``."""
    examples = []
    for path in sorted(root.glob("*.wav")):
        speaker, label, _ = path.stem.split("-")
        examples.append(Example(path.name, str(path), label, speaker))
    return LoadedExamples(examples, ["read by a test"])


PUBLISHED = PublishedCorpus("Test", "", "for tests", "", {}, load, folds=2)


def nothing(root):
    return None


def one(**changes):
    return lambda root: [
        Example(**{"id": "a", "path": __file__, "label": "x", "speaker": "s"} | changes)
    ]


@pytest.fixture
def folder(tmp_path):
    for speaker in ("s1", "s2"):
        for label in ("anger", "neutral"):
            wave = voice(label, speaker, 0, 0.5)
            soundfile.write(tmp_path / f"{speaker}-{label}-0.wav", wave, RATE)
    return tmp_path


@pytest.mark.parametrize("spelling", [f"{__name__}:load", f"{__name__}.load"])
def test_it_is_a_source_like_any_other(folder, spelling):
    corpus = load_corpus(f"{spelling}:{folder}", {"anger": "angry"})
    assert corpus.labels == ["angry", "neutral"]
    assert corpus.speakers == ["s1", "s2"]
    assert corpus.notes == ("read by a test",)
    assert corpus.name == folder.name


def test_license_and_folds_of_a_published_corpus_are_used(folder):
    corpus = load_layout(f"{__name__}:PUBLISHED", folder)
    assert (corpus.license, corpus.folds) == ("for tests", 2)
    assert load_layout(PUBLISHED, folder).examples == corpus.examples
    assert load_layout(lambda root: load(root).examples, folder).examples == corpus.examples


def test_which_sources_have_this_form():
    assert split_source("a:b:c/d") == ("a:b", "c/d")
    assert split_source("a.b:c") == ("a.b", "c")
    assert split_source("a.b:c:d:e") == ("a.b:c", "d:e")
    assert split_source("emodb:../emodb") is None
    assert split_source("data/a.csv") is None


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (nothing, "must return affekt.LoadedExamples or a list of affekt.Example"),
        (one(label=""), "has no label"),
        (one(speaker=""), "has no speaker"),
        (one(path="/no/such.wav"), "/no/such.wav does not exist"),
        (lambda root: one()(root) * 2, "2 examples have the id 'a'"),
        (lambda root: root.nothing, "failed: AttributeError"),
    ],
)
def test_its_examples_are_checked(layout, reason, tmp_path):
    with pytest.raises(CorpusError, match=reason):
        load_layout(layout, tmp_path)


def test_no_folder_and_no_function(tmp_path):
    with pytest.raises(CorpusError, match="is not a folder"):
        load_corpus(f"{__name__}:load:{tmp_path / 'no'}")
    with pytest.raises(AffektError, match="has no 'laod'; did you mean 'load'"):
        load_corpus(f"{__name__}:laod:{tmp_path}")
