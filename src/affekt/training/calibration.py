"""What a trained model still needs before anyone uses it: a temperature, and a speech gate."""

from collections.abc import Sequence

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from ..audio.recording import Recording
from ..config import Augment, Config
from ..nn.emotion_model import EmotionModel, prepare
from .augmentation import with_copies
from .clips import Clip, EmbeddingCache
from .synthetic_noise import other_sounds
from .targets import Targets

RARE = 0.01  # of held-out speech lies below, of held-out sounds above; the gate stands between
SPOKEN = 2000  # clips, and as many degraded ones, are enough to learn from
SOUNDS = 150  # that are no speech, and a third as many that judge


def temperature(logits: Tensor, truth: Targets) -> float:
    """What the logits ``(clips, classes)`` of held-out clips should be divided by.

    One number, found by maximum likelihood (Guo et al., 2017): it changes no label. It only
    takes confidence away: a few validation speakers, who also chose the epoch, can look too easy.
    """
    grid = torch.logspace(0, 1, 101)
    losses = torch.stack([truth.loss(logits / t) for t in grid])
    return float(grid[losses.argmin()])


def fit_gate(
    model: EmotionModel,
    clips: Sequence[Clip],
    held_out: Sequence[Clip],
    config: Config,
    cache: EmbeddingCache,
    seed: int,
) -> None:
    """Teach the model's speech gate in place.

    Args:
        model: Trained.
        clips: Speech to learn from, as it is and degraded once.
        held_out: Speech of other speakers.
        config: How clips are levelled and cut.
        cache: Of the model's encoder.
        seed: Draws `SPOKEN` of the clips.
    """

    def means(recordings: Sequence[Recording]) -> Tensor:
        embeddings = cache.encode(*prepare(recordings, config))
        return torch.stack([v.mean(0) for v in embeddings])

    drawn = np.random.default_rng(seed).permutation(len(clips))[:SPOKEN]
    spoken = with_copies([clips[i] for i in drawn], Augment(speeds=(), degraded=1))
    speech = means([c.recording for c in spoken])
    sounds = means([Recording("", wave) for wave in other_sounds(SOUNDS * 4 // 3)])
    other, judging = sounds[:SOUNDS], sounds[SOUNDS:]
    gate = model.gate
    gate.mean.copy_(speech.mean(0))
    gate.sd.copy_(speech.std(0).clamp_min(1e-3))
    regression = LogisticRegression(C=1e-3, max_iter=500, class_weight="balanced")
    is_speech = np.arange(len(speech) + len(other)) < len(speech)
    regression.fit(gate.standardise(torch.cat([speech, other])).numpy(), is_speech)
    gate.weight.copy_(torch.from_numpy(regression.coef_[0]))
    lowest = gate.score(means([c.recording for c in held_out])).quantile(RARE)
    highest = gate.score(judging).quantile(1 - RARE)
    # Between the two, not at the speech's edge: unheard voices score lower than trained ones.
    gate.threshold.copy_((lowest + highest) / 2)
