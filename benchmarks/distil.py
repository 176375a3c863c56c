"""Make the weights "distilled" of VGGish: teach a narrow one the bundled encoder's embeddings.

    python benchmarks/distil.py CORPORA CACHE

The student is a VGGish of a quarter of the width, the teacher the bundled encoder. The student sees
the log-mel of one segment; its target is the teacher's embedding of this segment, encoded within
its clip and standardised over the training data, behind a linear layer that is then dropped. The
data are the clips of six corpora, without their labels, and a degraded copy of every fourth.
EMO-DB is not among them, because the weights are judged on it. The loss of some speakers who are
left out is printed, and chooses nothing. The result is written into the package; log-mels, targets
and the resume checkpoint are in the folder CACHE, and a killed run continues from there.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from affekt.atomic import write
from affekt.audio.segmentation import SEGMENT_FRAMES
from affekt.config import DISTILLED_WIDTH, Augment, Config
from affekt.config import Encoder as EncoderConfig
from affekt.corpora.registry import load_corpus
from affekt.nn.encoders.batching import encode
from affekt.nn.encoders.fast import for_inference
from affekt.nn.encoders.melspec import HOP, vggish_log_mel
from affekt.nn.encoders.vggish import SAMPLES, VGGish
from affekt.nn.encoders.weights import DISTILLED, build_encoder, packaged_hash
from affekt.progress import Event
from affekt.training.augmentation import with_copies
from affekt.training.clips import Clip, load_clips
from affekt.training.context import TrainingContext
from affekt.training.resume import ResumeCheckpoints
from affekt.training.targets import Score
from affekt.training.trainer import Stage, Trainer, autocast
from affekt.training.waves import prepared

CORPORA = {  # names and folders; EMO-DB is missing on purpose
    "casia": "casia",
    "nemo": "nemo",
    "turev": "turev",
    "urdu": "urdu",
    "emovo": "emovo",
    "emospeech-india": "emospeech_india",
}
CONFIG = Config.model_validate({"segments": {"hop": 0.24}})
COPIES = Augment(speeds=(), degraded=0.25)  # as in recipes/default.toml
LEFT_OUT = 0.1  # of the speakers of each corpus; at least one where there are more than four
RATES = {1e-3: 0.6, 3e-4: 0.3, 1e-4: 0.2}  # learning rate: share of the segments, drawn at random
BATCH_SIZE = 64
SEED = 0


class Segments(NamedTuple):
    """Segments of many clips.

    Attributes:
        mel: Log-mel frames ``(frames, 64)`` of all clips, one after another, in float16.
        starts: First frame of each segment ``(segments,)``.
        targets: The teacher's embeddings ``(segments, 1024)`` in float16.
    """

    mel: Tensor
    starts: Tensor
    targets: Tensor

    def inputs(self, items: Tensor) -> Tensor:
        """Log-mel ``(items, 96, 64)`` of some segments."""
        return self.mel[self.starts[items][:, None] + torch.arange(SEGMENT_FRAMES)].float()


def left_out_speakers(clips: Sequence[Clip]) -> set[str]:
    """Speakers of one corpus that are not trained on, drawn at random."""
    speakers = sorted({clip.example.speaker for clip in clips})
    number = max(1, round(LEFT_OUT * len(speakers))) if len(speakers) > 4 else 0
    return set(np.random.default_rng(SEED).permutation(speakers)[:number].tolist())


def prepare_segments(clips: Sequence[Clip]) -> Segments:
    """Cut clips into segments, with the teacher's embedding of each."""
    waves, spans = prepared([clip.recording for clip in clips], CONFIG)
    teacher = for_inference(build_encoder(EncoderConfig()).eval())
    targets = dict(encode(teacher, waves, spans))
    mels, starts, offset = [], [], 0
    for wave, span in zip(waves, spans, strict=True):
        first = torch.from_numpy(span[:, 0])
        missing = int(first.max()) * HOP + SAMPLES - len(wave)
        mels.append(vggish_log_mel(F.pad(torch.from_numpy(wave), (0, max(0, missing)))).half())
        starts.append(first + offset)
        offset += len(mels[-1])
    ordered = torch.cat([targets[i] for i in range(len(waves))]).half()
    return Segments(torch.cat(mels), torch.cat(starts), ordered)


def prepare_corpora(corpora: Path, cache: Path) -> tuple[Segments, Segments]:
    """Segments of the speakers in and out of training, from the cache if they are there."""
    parts: tuple[list[Segments], list[Segments]] = ([], [])
    for name, folder in CORPORA.items():
        paths = [cache / f"{name}-{part}-{packaged_hash()}.safetensors" for part in ("in", "out")]
        if not all(path.is_file() for path in paths):
            clips = load_clips(load_corpus(f"{name}:{corpora / folder}").examples)
            speakers = left_out_speakers(clips)
            for path, out in zip(paths, (False, True), strict=True):
                chosen = [c for c in clips if (c.example.speaker in speakers) == out]
                tensors = prepare_segments(with_copies(chosen, COPIES))._asdict() if chosen else {}
                write(path, partial(save_file, tensors))
            print(f"{name}: without the speakers {sorted(speakers)}", flush=True)
        for part, path in zip(parts, paths, strict=True):
            if tensors := load_file(path):
                part.append(Segments(**tensors))
    return _joined(parts[0]), _joined(parts[1])


def _joined(parts: Sequence[Segments]) -> Segments:
    offsets = np.cumsum([0, *(len(part.mel) for part in parts[:-1])])
    return Segments(
        torch.cat([part.mel for part in parts]),
        torch.cat([part.starts + int(o) for part, o in zip(parts, offsets, strict=True)]),
        torch.cat([part.targets for part in parts]),
    )


def distil(training: Segments, validation: Segments, cache: Path) -> None:
    """Train the student by the mean squared error (0 is the teacher, 1 its mean) and write it."""
    torch.manual_seed(SEED)
    student = VGGish(width=DISTILLED_WIDTH)
    student.features.to(memory_format=torch.channels_last)  # faster in bfloat16
    model = nn.Sequential(student, nn.Linear(student.dim, training.targets.shape[1]))
    mean, sd = _statistics(training.targets)

    def error(segments: Segments, items: Tensor) -> Tensor:
        with autocast("bfloat16"):
            predicted = model[1](student.embed(segments.inputs(items))).float()
        return F.mse_loss(predicted, (segments.targets[items].float() - mean) / sd)

    @torch.inference_mode()
    def validate() -> Score:
        batches = torch.arange(len(validation.starts)).split(BATCH_SIZE)
        total = sum(error(validation, items).item() * len(items) for items in batches)
        loss = total / len(validation.starts)
        return Score(loss, 1 - loss, "R2")

    checkpoints = ResumeCheckpoints(cache / "training", resume=True)
    context = TrainingContext(report=_print, checkpoints=checkpoints)
    trainer = Trainer(context, np.random.default_rng(SEED))
    identity = {"segments": len(training.starts), "rates": str(RATES), "teacher": packaged_hash()}
    with checkpoints.session(identity):
        for rate, share in RATES.items():
            drawn = torch.randperm(len(training.starts))[: round(share * len(training.starts))]
            trainer.fit(
                Stage(
                    name=f"learning rate {rate}",
                    model=model,
                    optimizer=torch.optim.Adam(model.parameters(), lr=rate, fused=True),
                    sizes=[1] * len(drawn),
                    batch_size=BATCH_SIZE,
                    loss=lambda items, drawn=drawn: error(training, drawn[items]),
                    validate=validate,
                    epochs=1,
                    patience=1,
                )
            )
        standardise(student, training)
        write(DISTILLED, partial(save_file, _half(student)))


def _statistics(targets: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation ``(dim,)`` of float16 embeddings, in bounded memory."""
    total = sum(part.double().sum(0) for part in targets.split(10_000))
    squares = sum(part.double().square().sum(0) for part in targets.split(10_000))
    mean = total / len(targets)
    return mean.float(), (squares / len(targets) - mean.square()).sqrt().float()


@torch.inference_mode()
def standardise(student: VGGish, segments: Segments, number: int = 20_000) -> None:
    """Scale the last layer so that each dimension has mean 0 and standard deviation 1.

    Args:
        student: Changed in place.
        segments: Of the training data.
        number: Segments, drawn at random, of which mean and deviation are.
    """
    rng = torch.Generator().manual_seed(SEED)
    some = torch.randperm(len(segments.starts), generator=rng)[:number]
    embeddings = torch.cat([student.embed(segments.inputs(i)) for i in some.split(BATCH_SIZE)])
    last = student.embeddings[4]
    last.bias.copy_((last.bias - embeddings.mean(0)) / embeddings.std(0))
    last.weight.div_(embeddings.std(0)[:, None])


def _half(student: VGGish) -> dict[str, Tensor]:
    return {name: t.half().contiguous() for name, t in student.state_dict().items()}


def _print(event: Event) -> None:
    print(event, flush=True)


def main() -> None:
    """Prepare, train, write the packaged file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("cache", type=Path)
    chosen = parser.parse_args()
    training, validation = prepare_corpora(chosen.corpora, chosen.cache)
    print(f"{len(training.starts)} and {len(validation.starts)} segments", flush=True)
    distil(training, validation, chosen.cache)


if __name__ == "__main__":
    main()
