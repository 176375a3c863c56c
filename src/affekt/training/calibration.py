"""Calibration of a trained model: temperatures of the softmax, threshold of the speech gate."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ..audio.recording import Recording
from ..config import Augment, Config, Protocol
from ..errors import AffektError
from ..nn.emotion_model import EmotionModel
from ..nn.training_info import LeftOut
from ..provenance import content_hashes
from ..run_result import RunResult, load_run_result
from .augmentation import with_copies
from .clips import Clip
from .context import TrainingContext
from .datasets import ClipDataset, clip_encoder
from .embedding_cache import EmbeddingCache, blocks
from .stage2 import clip_logits
from .synthetic_noise import synthetic_noise
from .targets import ClassTargets, Targets
from .waves import prepared

TAIL = 0.01  # share of validation speech below the lower bound, of noise above the upper bound
SPEECH_CLIPS = 2000  # most speech clips that the gate is fitted to, besides a degraded copy of each
NOISE_CLIPS = 150  # noise clips that the gate is fitted to
VALIDATION_NOISE_CLIPS = 50  # those that set the threshold
LINEAR_WEIGHT = 4.0  # of the linear head relative to the network, which overfits training corpora
LOWEST = 0.25  # lowest temperature that is tried for a left-out corpus
LEAST_CORPORA = 3  # least number of left-out corpora to calibrate on


def temperature(logits: Tensor, targets: Targets, lowest: float = 1.0) -> float:
    """Temperature of the softmax with the highest likelihood (Guo et al., 2017), up to 10.

    It changes no label. At 1 or more it does not raise the confidence: the loss of a few validation
    speakers, who also chose the epoch, may be too low.

    Args:
        logits: ``(clips, classes)`` of clips that were not trained on.
        targets: Their classes.
        lowest: Lowest temperature.
    """
    grid = torch.logspace(math.log10(lowest), 1, 101)
    losses = torch.stack([targets.loss(logits / t) for t in grid])
    return float(grid[losses.argmin()])


def cautious_temperature(logits: Tensor, targets: ClassTargets) -> float:
    """`temperature` of a few clips: also so high that the mean confidence is no surprise.

    Of n clips of which k are right, k + 1 of n + 2 of further ones are expected to be (Laplace's
    rule of succession): ten clips without an error allow a mean confidence of 0.92, not of 1.

    Args:
        logits: ``(clips, classes)`` of clips that were not trained on.
        targets: Their classes.
    """
    right = int((logits.argmax(1) == targets.indices).sum())
    expected = (right + 1) / (len(logits) + 2)
    for t in torch.logspace(math.log10(temperature(logits, targets)), 2, 101).tolist():
        if float((logits / t).softmax(1).amax(1).mean()) <= expected:
            break
    return float(t)


def calibrate(
    model: EmotionModel, validation: ClipDataset, config: Config, context: TrainingContext
) -> tuple[float, float]:
    """Weigh the linear head in place, and fit the temperatures.

    The scores of the linear head are divided by their temperature and the logits of the network by
    its own, so that both are on one scale; the scores are then multiplied by `LINEAR_WEIGHT`.

    Args:
        model: Trained.
        validation: The validation clips.
        config: Settings.
        context: Embedding cache and processes.

    Returns:
        Temperatures of the softmax for recordings of an unknown domain, and of a known one.
    """
    encode = clip_encoder(model, validation, config, context.cache_of(model.encoder))
    sizes = [len(spans) for spans in validation.stage2_spans]
    by_speaker = config.training_normalisation == "speaker"
    unknown = validation.with_domains([None] * len(validation))
    known = validation.with_domains(validation.speakers if by_speaker else validation.corpora)

    def fitted(dataset: ClipDataset) -> float:
        logits = clip_logits(model, dataset, encode, context.processes)
        return temperature(logits, dataset.targets)

    if config.stage2.linear_head:
        scores = []
        for rows in blocks(sizes):
            x = torch.stack([e.mean(0) for e in known.standardise(model, encode(rows), rows)])
            scores.append(model.linear.scores(x).cpu())
        share = LINEAR_WEIGHT * fitted(known) / temperature(torch.cat(scores), known.targets)
        model.linear.mix.copy_(share * torch.eye(len(model.linear.mix)))
    return fitted(unknown), fitted(known)


def left_out_temperature(run: Path, config: Config) -> LeftOut:
    """Fit a temperature to an evaluation in which each corpus was left out of training in turn.

    Temperatures fitted to validation speakers of the training corpora are too low for other
    corpora. Here, a temperature is fitted to each left-out corpus over all seeds; their geometric
    mean is used for new corpora.

    Args:
        run: Folder of ``affekt evaluate A --leave-out B --leave-out C``.
        config: Settings of the model; the evaluation must have the same.

    Raises:
        AffektError: The folder contains another evaluation, or one with other settings.
    """
    result, table = _read_run(run)
    corpora = _left_out_corpora(result)
    if corpora is None:
        raise AffektError(f"{run}: not an evaluation that leaves out three or more corpora in turn")
    ignored = {"protocol": Protocol(), "intended_use": "", "license": ""}
    if result.settings.model_copy(update=ignored) != config.model_copy(update=ignored):
        raise AffektError(f"{run}: was made with other settings")
    current = content_hashes(config)
    if "hashes" in result.model_fields_set and not current.items() <= result.hashes.items():
        raise AffektError(f"{run}: was made with weights or parts of other content")
    columns = [c for c in table.columns if c.startswith("prob_")]
    labels = [c.removeprefix("prob_") for c in columns]
    best = {}
    for fold, name in enumerate(corpora):
        rows = table[table["fold"] == fold]
        logits = torch.from_numpy(np.log(rows[columns].to_numpy(np.float64) + 1e-12))
        indices = torch.tensor([labels.index(label) for label in rows["label"]])
        known = torch.ones(logits.shape, dtype=torch.bool)
        best[name] = temperature(logits, ClassTargets(indices, known), LOWEST)
    mean = float(np.exp(np.mean(np.log(list(best.values())))))
    known_source = result.settings.protocol.test_normalisation != "none"
    return LeftOut(temperature=mean, known_source=known_source, corpora=best)


def fit_gate(
    model: EmotionModel,
    clips: Sequence[Clip],
    validation: Sequence[Clip],
    config: Config,
    cache: EmbeddingCache,
) -> None:
    """Fit the model's speech gate in place, to speech and synthetic noise.

    Args:
        model: Trained.
        clips: Speech to fit, together with a degraded copy of each clip.
        validation: Speech of other speakers, which determines the threshold.
        config: Settings; the seed draws `SPEECH_CLIPS` of the clips.
        cache: Embedding cache of the model's encoder.
    """

    def means(recordings: Sequence[Recording]) -> Tensor:
        embeddings = cache.encode(*prepared(recordings, config))
        together = torch.stack([e.mean(0) for e in embeddings])
        return together[:, : len(model.gate.mean)].to(model.gate.mean.device)

    def scores(recordings: Sequence[Recording]) -> Tensor:
        parts = (recordings[i : i + SPEECH_CLIPS] for i in range(0, len(recordings), SPEECH_CLIPS))
        return torch.cat([gate.score(means(part)) for part in parts])

    drawn = np.random.default_rng(config.protocol.seed).permutation(len(clips))[:SPEECH_CLIPS]
    degraded = Augment(speeds=(), degraded=1)
    speech = means([c.recording for c in with_copies([clips[i] for i in drawn], degraded)])
    noise_waves = synthetic_noise(NOISE_CLIPS + VALIDATION_NOISE_CLIPS)
    noises = means([Recording("", wave) for wave in noise_waves])
    noise, validation_noise = noises[:NOISE_CLIPS], noises[NOISE_CLIPS:]
    gate = model.gate
    gate.mean.copy_(speech.mean(0))
    gate.sd.copy_(speech.std(0).clamp_min(1e-3))
    regression = LogisticRegression(C=1e-3, max_iter=500, class_weight="balanced")
    is_speech = np.arange(len(speech) + len(noise)) < len(speech)
    regression.fit(gate.standardise(torch.cat([speech, noise])).cpu().numpy(), is_speech)
    gate.weight.copy_(torch.from_numpy(regression.coef_[0]))
    lowest = scores([c.recording for c in validation]).quantile(TAIL)
    highest = gate.score(validation_noise).quantile(1 - TAIL)
    # Half-way between the bounds, since speech of unseen speakers scores lower.
    gate.threshold.copy_((lowest + highest) / 2)


def _read_run(run: Path) -> tuple[RunResult, pd.DataFrame]:
    try:
        return load_run_result(run), pd.read_parquet(run / "predictions.parquet")
    except (AffektError, OSError, ValueError) as error:
        raise AffektError(f"{run}: not a run of affekt evaluate ({error})") from error


def _left_out_corpora(result: RunResult) -> list[str] | None:
    """The corpus that each fold tests; None unless each fold tests a different single corpus."""
    groups = [{s.partition("/")[0] for s in fold.test_speakers} for fold in result.folds]
    corpora = [corpus for group in groups for corpus in group]
    single = all(len(group) == 1 for group in groups) and len(set(corpora)) == len(corpora)
    return corpora if single and len(corpora) >= LEAST_CORPORA else None
