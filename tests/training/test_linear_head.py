"""Fit of the linear Gaussian head."""

import numpy as np
import pytest
import torch
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from affekt.corpora.registry import load_corpus
from affekt.inference.recognizer import Recognizer
from affekt.nn.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from affekt.nn.linear_head import LinearHead
from affekt.training.adapt import adapt
from affekt.training.clips import load_clips
from affekt.training.embedding_cache import EmbeddingCache
from affekt.training.linear_head import (
    BETWEEN_CORPORA,
    SHRINKAGE,
    _spread_in_one_emotion,
    class_statistics,
)
from affekt.training.run import train


def test_statistics_computed_by_hand():
    """Two corpora, two classes; the class of the first dimension differs between the corpora."""
    x = np.array([[1.0, 1], [3, -1], [-3, 0], [-1, 0], [5, 1], [7, -1], [-7, 0], [-5, 0]])
    y = np.array([0, 0, 1, 1] * 2)
    means, covariance = class_statistics(x.__getitem__, y, np.array(["a"] * 4 + ["b"] * 4), 3, (2,))
    assert means.tolist() == [[4, 0], [-4, 0], [0, 0]]  # nobody speaks the third class
    within = np.array([[1, -0.5], [-0.5, 0.5]])
    between = np.array([[8.0, 0], [0, 0]])  # (2 - 4)^2 + (6 - 4)^2 of each class, 2 degrees
    expected = within + BETWEEN_CORPORA * between
    level = np.trace(expected) / 2
    assert covariance == pytest.approx((1 - SHRINKAGE) * expected + SHRINKAGE * level * np.eye(2))


def test_the_covariance_is_of_the_classes_that_all_corpora_have():
    """The third class, of one corpus alone, has a mean; its spread is no part of the covariance."""
    x = np.array([[1.0, 1], [3, -1], [-3, 0], [-1, 0], [5, 1], [7, -1], [-7, 0], [-5, 0]])
    y, corpora = np.array([0, 0, 1, 1] * 2), np.array(["a"] * 4 + ["b"] * 4)
    _, expected = class_statistics(x.__getitem__, y, corpora, 3, (2,))
    third = np.array([[0.0, 9], [0, -3]])
    means, covariance = class_statistics(
        np.concatenate([x, third]).__getitem__,
        np.append(y, [2, 2]),
        np.append(corpora, ["b", "b"]),
        3,
        (2,),
    )
    assert means[2].tolist() == [0, 3]
    assert covariance == pytest.approx(expected)


def test_the_covariance_is_of_all_classes_where_corpora_share_none():
    x = np.array([[1.0, 0], [3, 0], [0, 1], [0, 5]])
    y, corpora = np.array([0, 0, 1, 1]), np.array(["a", "a", "b", "b"])
    _, covariance = class_statistics(x.__getitem__, y, corpora, 2, (2,))
    within = np.array([[0.5, 0], [0, 2]])
    assert covariance == pytest.approx((1 - SHRINKAGE) * within + SHRINKAGE * 1.25 * np.eye(2))


def test_discriminants_are_those_of_scikit_learn():
    """Class means differ in two directions; along each the variance within a class is 1."""
    rng = np.random.default_rng(0)
    means = np.array([[3.0, 0, 1, 0], [0, 2, 0, 0], [-1, 0, 0, 1]])
    spread = rng.standard_normal((4, 4))
    x = np.concatenate([rng.standard_normal((500, 4)) @ spread + mean for mean in means])
    y = np.repeat(np.arange(3), 500)
    found = np.stack([x[y == c].mean(0) for c in range(3)])
    centred = x - found[y]
    head = LinearHead(4, 3, 3)
    head.set_classes(torch.from_numpy(found), torch.from_numpy(centred.T @ centred / (1500 - 3)))
    directions = head.discriminants().double().numpy()
    reference = LinearDiscriminantAnalysis(solver="eigen").fit(x, y).scalings_[:, :2]
    assert directions.shape == (4, 2)
    assert (centred @ directions).var(0) == pytest.approx(1, abs=0.01)
    for column in reference.T:  # the same plane
        _, residual, *_ = np.linalg.lstsq(directions, column, rcond=None)
        assert residual.sum() < 1e-6
    assert LinearHead(4, 3, 3).discriminants().shape == (4, 0)


def test_the_spread_in_one_emotion_is_that_of_nine_of_ten_groups():
    """Variances 1 and 2 along the discriminant, 1 in the dimensions; five clips are too few."""
    rng = np.random.default_rng(0)
    own = [rng.standard_normal((400, 4)) * [1, 1, 1, size**0.5] for size in (1, 2)]
    few = rng.standard_normal((5, 4)) * [1, 1, 1, 9]
    groups = [("a", 0)] * 400 + [("a", 1)] * 400 + [("b", 0)] * 5
    vectors = torch.from_numpy(np.concatenate([*own, few]))
    found = _spread_in_one_emotion(vectors.__getitem__, groups, 3)
    one, other = (x.var(0)[3] / np.median(x.var(0)[:3]) for x in own)
    assert found == pytest.approx(0.1 * one + 0.9 * other)
    assert _spread_in_one_emotion(vectors.__getitem__, groups[:5], 3) == 0


def test_statistics_of_blocks_are_those_of_all_clips(monkeypatch):
    rng = np.random.default_rng(0)
    x, y, corpora = rng.standard_normal((90, 3)) + 7, np.arange(90) % 2, np.repeat(["a", "b"], 45)
    means, covariance = class_statistics(x.__getitem__, y, corpora, 2, (3,))
    monkeypatch.setattr("affekt.training.linear_head.BLOCK", 10)
    in_blocks = class_statistics(x.__getitem__, y, corpora, 2, (3,))
    assert in_blocks[0] == pytest.approx(means, abs=1e-12)
    assert in_blocks[1] == pytest.approx(covariance, abs=1e-12)


def test_encoders_count_as_independent():
    """The covariance between dimension 0 and the others is 0; the latter count a third."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((40, 1)) + rng.standard_normal((40, 3))
    y, corpora = np.arange(40) % 2, np.repeat(["a", "b"], 20)
    _, together = class_statistics(x.__getitem__, y, corpora, 2, (3,))
    _, apart = class_statistics(x.__getitem__, y, corpora, 2, (1, 2))
    _, first = class_statistics(x[:, :1].__getitem__, y, corpora, 2, (1,))
    _, others = class_statistics(x[:, 1:].__getitem__, y, corpora, 2, (2,))
    assert abs(together[0, 1:]).min() > 0.1
    assert (apart[0, 1:] == 0).all() and (apart[1:, 0] == 0).all()
    assert apart[:1, :1] == pytest.approx(first) and apart[1:, 1:] == pytest.approx(3 * others)


def test_scores_are_those_of_gaussian_classes():
    torch.manual_seed(0)
    means, root = torch.randn(3, 5), torch.randn(5, 5)
    covariance = root @ root.T + torch.eye(5)
    head, x = LinearHead(5, 3, 3), torch.randn(7, 5)
    head.set_classes(means, covariance)
    densities = [
        torch.distributions.MultivariateNormal(mean, covariance).log_prob(x) for mean in means
    ]
    expected = torch.stack(densities, 1).softmax(1)
    assert torch.allclose(head.scores(x).softmax(1), expected, atol=1e-4)
    assert not head(x).any()  # no part of the result until it is weighed


def test_classes_of_a_speaker_move_the_scores():
    """Moved class means, in all dimensions and along the discriminants."""
    torch.manual_seed(0)
    means, root = torch.randn(3, 5), torch.randn(5, 5)
    covariance = root @ root.T + torch.eye(5)
    head, moved, x = LinearHead(5, 3, 3), LinearHead(5, 3, 3), torch.randn(7, 5)
    head.set_classes(means, covariance)
    along = torch.linalg.solve(covariance, means - means.mean(0), left=False)[:2]  # of both spaces
    shifts = torch.randn(3, 2) @ (along @ covariance)
    moved.set_classes(means + shifts, covariance)
    scores = head.scores(x, head.along(means + shifts))
    assert torch.allclose(scores.softmax(1), moved.scores(x).softmax(1), atol=1e-4)
    assert torch.allclose(head.scores(x, head.along(means)), head.scores(x), atol=1e-5)


def test_a_model_with_it_is_trained_saved_and_adapted(manifest, tiny_config, tmp_path):
    stage2 = tiny_config.stage2.model_copy(update={"linear_head": True})
    config = tiny_config.model_copy(update={"stage2": stage2, "training_normalisation": "speaker"})
    clips = load_clips(load_corpus(str(manifest)).examples)
    trained = train(clips, config, seed=0)
    head = trained.model.linear
    share = head.mix[0, 0]
    assert share > 0
    assert torch.equal(head.mix, share * torch.eye(3))
    checkpoint = Checkpoint(trained.model, trained.labels, config, "linear")
    save_checkpoint(checkpoint, tmp_path / "model", "card")
    loaded = load_checkpoint(tmp_path / "model")
    recordings = [clip.recording for clip in clips[:3]]
    alone = Recognizer(checkpoint).recognise(recordings)
    assert [p.probabilities for p in Recognizer(loaded).recognise(recordings)] == [
        p.probabilities for p in alone
    ]
    head.mix.zero_()
    without = Recognizer(checkpoint).recognise(recordings)
    assert without[0].probabilities != alone[0].probabilities
    two = [clip for clip in clips if clip.label != "sadness"][:24]
    cache = EmbeddingCache(loaded.model.encoder, tmp_path / "embeddings")
    adapted = adapt(loaded, two, cache, "two").checkpoint
    assert adapted.model.linear.mix.shape == (2, 3)
    save_checkpoint(adapted, tmp_path / "adapted", "card")
    known = Recognizer(load_checkpoint(tmp_path / "adapted"))
    statistics = known.statistics_of(known.encode(recordings))
    assert known.recognise(recordings, statistics)[0].probabilities.keys() == {"anger", "neutral"}
