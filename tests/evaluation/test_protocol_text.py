"""The protocol in words says who is tested, and marks scores that are not on unseen speakers."""

import pytest

from affekt.config import Config
from affekt.corpora.corpus import Corpus
from affekt.corpora.splits import Fold
from affekt.evaluation.protocol_text import marked_title, notes, protocol
from affekt.types import ANONYMOUS, Example

EXAMPLES = tuple(Example(f"{s}{c}", f"{s}{c}.wav", c, s) for s in ("s1", "s2", "s3") for c in "ab")
FOLDS = [
    Fold([e for e in EXAMPLES if e.speaker != s], [], [e for e in EXAMPLES if e.speaker == s])
    for s in ("s1", "s2", "s3")
]


def corpus(examples=EXAMPLES):
    return Corpus("c", examples, license="free")


def config(**protocol):
    return Config.model_validate({"protocol": protocol})


def test_the_protocol_of_an_ordinary_score():
    assert protocol(corpus(), config(), FOLDS) == (
        "Test speakers are not in any training or validation data or normalisation statistics; "
        "3 folds by speaker; epochs and settings are selected inside the training part, for "
        "networks on validation speakers (20% of the training part), for other systems by "
        "cross-validation; uniform segments at test; 3 seeds; scores are pooled over folds and "
        "averaged over seeds; intervals: 95 % percentile bootstrap over speakers."
    )
    assert "; 1 seed; " in protocol(corpus(), config(seeds=1), FOLDS)


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ({"test_normalisation": "fold"}, "Test speakers are not in any training or validation "
         "data, but their unlabelled clips are standardised by their own statistics"),
        ({"test_normalisation": "clip"}, "Test speakers are not in any training or validation "
         "data; each clip is standardised by its own unlabelled statistics alone"),
        ({"paper_protocol": True}, "paper_protocol, NOT a score on unseen speakers"),
        ({"training_imbalance": 5.9}, "Test speakers are not in any training or validation data"),
    ],
)  # fmt: skip
def test_another_protocol_comes_first(settings, start):
    text = protocol(corpus(), config(**settings), FOLDS)
    assert text.startswith(start)
    assert "; 3 folds by speaker; " in text


def test_test_speakers_that_are_trained_on_come_first():
    leaking = [Fold(EXAMPLES, [], FOLDS[0].test), *FOLDS[1:]]
    text = protocol(corpus(), config(), leaking)
    assert text.startswith(
        "NOT a score on unseen speakers: the fold table also trains on test speakers; 3 folds"
    )


def test_without_speakers_the_folds_are_by_clip():
    clips = tuple(Example(e.id, e.path, e.label, ANONYMOUS + e.id) for e in EXAMPLES)
    folds = [Fold(clips[2:], [], clips[:2]), Fold(clips[:2], [], clips[2:])]
    text = protocol(corpus(clips), config(), folds)
    assert "; 2 folds by clip; " in text
    assert text.startswith("Test clips (speakers are unknown) are not in any training")


def test_titles_are_marked():
    info = [{"encoder": "random start"}]
    both = config(test_normalisation="speaker", paper_protocol=True).protocol
    title = "X (random start) (paper_protocol) (speaker normalisation)"
    assert marked_title("X", info, both, corpus()) == title
    assert marked_title("X", [{}], config().protocol, corpus()) == "X"


def test_one_training_speaker_selects_the_epoch_unless_the_test_fold_does():
    examples = [e for e in EXAMPLES if e.speaker != "s3"]
    folds = [Fold(examples[:2], [], examples[2:])]
    note = "fold 1: one training speaker, whose clips also select the epoch"
    assert note in notes(corpus(tuple(examples)), folds, [{}], False)
    assert note not in notes(corpus(tuple(examples)), folds, [{}], True)


def test_notes_count_the_trainings_that_lack_a_class():
    info = [{"validation_lacks": ["a"]}, {"validation_lacks": ["b"]}, {"training_lacks": ["b"]}]
    assert notes(corpus(), FOLDS, info, True) == [
        "paper_protocol: networks select their epoch on the test fold; not a score on unseen "
        "speakers",
        "in 2 of 3 trainings the validation speakers lack a class",
        "in 1 of 3 trainings a class occurs in validation speakers only",
    ]
