"""After the stages: temperatures of the softmax, and the speech gate."""

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
from ..nn.emotion_model import EmotionModel, prepare
from ..nn.training_info import LeftOut
from ..run_result import RunResult, load_run_result
from .augmentation import with_copies
from .clips import Clip
from .context import TrainingContext
from .datasets import ClipDataset, clip_encoder
from .embedding_cache import EmbeddingCache
from .stage2 import clip_logits
from .synthetic_noise import synthetic_noise
from .targets import Targets

TAIL = 0.01  # share of validation speech below, and of other sounds above, the gate's threshold
SPEECH_CLIPS = 2000  # clips that the gate is fitted to, and as many degraded ones
NOISE_CLIPS = 150  # clips without speech that it is fitted to; a third as many set the threshold
LEAST_CORPORA = 3  # that an evaluation must leave out to calibrate by it


def temperature(logits: Tensor, targets: Targets) -> float:
    """Temperature of the softmax with the highest likelihood (Guo et al., 2017), at least 1.

    It changes no label. It only lowers the confidence: a few validation speakers, who also chose
    the epoch, can look too easy.

    Args:
        logits: ``(clips, classes)`` of clips that were not trained on.
        targets: Their classes.
    """
    grid = torch.logspace(0, 1, 101)
    losses = torch.stack([targets.loss(logits / t) for t in grid])
    return float(grid[losses.argmin()])


def fit_temperatures(
    model: EmotionModel, validation: ClipDataset, config: Config, context: TrainingContext
) -> tuple[float, float]:
    """Fit the temperatures for recordings of an unknown source, and of a known one.

    Args:
        model: Trained.
        validation: The validation clips.
        config: Settings.
        context: Embedding cache and processes.
    """
    encode = clip_encoder(model, validation, config, context.cache_of(model.encoder))
    unknown = validation.with_sources([None] * len(validation))
    known = validation.with_sources(validation.corpora)
    one, two = (
        temperature(clip_logits(model, d, encode, context.distributed), d.targets)
        for d in (unknown, known)
    )
    return one, two


def left_out_temperature(run: Path, config: Config) -> LeftOut:
    """Fit a temperature to an evaluation in which each corpus was left out of training in turn.

    Validation speakers of known corpora look too easy to calibrate for other corpora. Each corpus
    that was left out has the temperature of highest likelihood over all seeds; a new corpus is
    given their geometric mean.

    Args:
        run: Folder of ``affekt evaluate A --leave-out B --leave-out C``.
        config: Settings of the model; the evaluation must have the same.

    Raises:
        AffektError: Not such an evaluation, or one with other settings.
    """
    result, table = _read_run(run)
    corpora = _left_out_corpora(result)
    if corpora is None:
        raise AffektError(f"{run}: does not leave each of three or more corpora out in turn")
    ignored = {"protocol": Protocol(), "intended_use": "", "license": ""}
    if result.settings.model_copy(update=ignored) != config.model_copy(update=ignored):
        raise AffektError(f"{run}: was made with other settings")
    columns = [c for c in table.columns if c.startswith("prob_")]
    labels = [c.removeprefix("prob_") for c in columns]
    best = {}
    for fold, name in enumerate(corpora):
        rows = table[table["fold"] == fold]
        logits = torch.from_numpy(np.log(rows[columns].to_numpy(np.float64) + 1e-12))
        indices = torch.tensor([labels.index(label) for label in rows["label"]])
        known = torch.ones(logits.shape, dtype=torch.bool)
        best[name] = temperature(logits, Targets(indices, known))
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
    """Fit the model's speech gate in place: speech against synthetic noises, tones and melodies.

    Args:
        model: Trained.
        clips: Speech to learn from, as it is and degraded once.
        validation: Speech of other speakers, which sets the threshold.
        config: Settings; the seed draws `SPEECH_CLIPS` of the clips.
        cache: Embedding cache of the model's encoder.
    """

    def means(recordings: Sequence[Recording]) -> Tensor:
        embeddings = cache.encode(*prepare(recordings, config))
        return torch.stack([e.mean(0) for e in embeddings])

    drawn = np.random.default_rng(config.protocol.seed).permutation(len(clips))[:SPEECH_CLIPS]
    degraded = Augment(speeds=(), degraded=1)
    speech = means([c.recording for c in with_copies([clips[i] for i in drawn], degraded)])
    noises = means([Recording("", wave) for wave in synthetic_noise(NOISE_CLIPS * 4 // 3)])
    noise, validation_noise = noises[:NOISE_CLIPS], noises[NOISE_CLIPS:]
    gate = model.gate
    gate.mean.copy_(speech.mean(0))
    gate.sd.copy_(speech.std(0).clamp_min(1e-3))
    regression = LogisticRegression(C=1e-3, max_iter=500, class_weight="balanced")
    is_speech = np.arange(len(speech) + len(noise)) < len(speech)
    regression.fit(gate.standardise(torch.cat([speech, noise])).numpy(), is_speech)
    gate.weight.copy_(torch.from_numpy(regression.coef_[0]))
    lowest = gate.score(means([c.recording for c in validation])).quantile(TAIL)
    highest = gate.score(validation_noise).quantile(1 - TAIL)
    # Half-way, not at the edge of speech: unseen voices score lower than those trained on.
    gate.threshold.copy_((lowest + highest) / 2)


def _read_run(run: Path) -> tuple[RunResult, pd.DataFrame]:
    try:
        return load_run_result(run), pd.read_parquet(run / "predictions.parquet")
    except (AffektError, OSError, ValueError) as error:
        raise AffektError(f"{run}: not a run of affekt evaluate ({error})") from error


def _left_out_corpora(result: RunResult) -> list[str] | None:
    """The corpus of each fold; None unless each fold is one corpus, and of each a single fold."""
    groups = [{s.partition("/")[0] for s in fold.test_speakers} for fold in result.folds]
    corpora = [corpus for group in groups for corpus in group]
    single = all(len(group) == 1 for group in groups) and len(set(corpora)) == len(corpora)
    return corpora if single and len(corpora) >= LEAST_CORPORA else None
