"""Make the weights of the voice encoder: convert those of CAM++, and add what emotion changes.

    python benchmarks/voice_weights.py campplus_cn_en_common.pt CORPORA

The file of CAM++ is that of 3D-Speaker's ``speech_campplus_sv_zh_en_16k-common_advanced``
(Apache-2.0). Batch normalisation is folded into the convolutions, and their weights are rounded to
8 bits. The mean voice and the directions of emotion are of up to 15 clips of each speaker and
emotion of six corpora.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor

from affekt.audio.recording import Recording
from affekt.audio.segmentation import SAMPLE_RATE
from affekt.audio.vad import split_recordings
from affekt.corpora.registry import load_corpus
from affekt.nn.encoders.campplus import BLOCKS, WEIGHTS
from affekt.nn.voice_encoder import raw_embeddings
from affekt.training.clips import Clip, load_clips

CORPORA = ("emodb", "casia", "nemo", "turev", "tess", "emovo")
CLIPS = 15  # of each speaker and emotion
DIRECTIONS = 8
Embeddings = NDArray[np.float64]
Names = NDArray[np.str_]


def converted(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of `affekt.nn.voice_encoder` from those of CAM++."""
    own: dict[str, Tensor] = {}

    def gain(norm: str) -> tuple[Tensor, Tensor]:
        deviation = (state[f"{norm}.running_var"].double() + 1e-5).sqrt()
        scale = state.get(f"{norm}.weight", torch.ones(1)).double() / deviation
        offset = state.get(f"{norm}.bias", torch.zeros(1)).double()
        return scale, offset - state[f"{norm}.running_mean"].double() * scale

    def convolution(name: str, weight: str, norm: str = "", bias: str = "") -> None:
        tensor = state[weight].double()
        if norm:
            scale, offset = gain(norm)
            tensor = tensor * scale.view(-1, *[1] * (tensor.ndim - 1))
            own[f"{name}.bias"] = offset.float()
        if bias:
            own[f"{name}.bias"] = state[bias]
        own[name] = tensor.float()

    def activation(name: str, norm: str) -> None:
        own[f"{name}.gain"], own[f"{name}.offset"] = (t.float() for t in gain(norm))

    for number in ("1", "2"):
        convolution(f"head.conv{number}", f"head.conv{number}.weight", f"head.bn{number}")
        for block in (f"head.layer{number}.0", f"head.layer{number}.1"):
            for k in ("1", "2"):
                convolution(f"{block}.conv{k}", f"{block}.conv{k}.weight", f"{block}.bn{k}")
        short = f"head.layer{number}.0.shortcut"
        convolution(short, f"{short}.0.weight", f"{short}.1")
    convolution("tdnn", "xvector.tdnn.linear.weight", "xvector.tdnn.nonlinear.batchnorm")
    for number, (layers, _) in enumerate(BLOCKS, 1):
        for layer in range(1, layers + 1):
            name, theirs = f"block{number}.{layer}", f"xvector.block{number}.tdnnd{layer}"
            activation(name, f"{theirs}.nonlinear1.batchnorm")
            norm = f"{theirs}.nonlinear2.batchnorm"
            convolution(f"{name}.in", f"{theirs}.linear1.weight", norm)
            context = f"{theirs}.cam_layer"
            convolution(f"{name}.local", f"{context}.linear_local.weight")
            for own_name, k in (("squeeze", "1"), ("mask", "2")):
                layer_name = f"{context}.linear{k}"
                bias = f"{layer_name}.bias"
                convolution(f"{name}.{own_name}", f"{layer_name}.weight", bias=bias)
        transit = f"xvector.transit{number}"
        activation(f"transit{number}", f"{transit}.nonlinear.batchnorm")
        convolution(f"transit{number}", f"{transit}.linear.weight")
    activation("out", "xvector.out_nonlinear.batchnorm")
    dense = "xvector.dense"
    convolution("embedding", f"{dense}.linear.weight", f"{dense}.nonlinear.batchnorm")
    own["embedding"] = own["embedding"].squeeze(-1)
    return own


def rounded(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Weights in 8 bits, with a scale for each output channel; vectors as they are."""
    result = {}
    for name, tensor in tensors.items():
        if tensor.ndim == 1:
            result[name] = tensor
            continue
        scale = tensor.flatten(1).abs().amax(1).clamp_min(1e-12) / 127
        shape = -1, *[1] * (tensor.ndim - 1)
        result[name] = (tensor / scale.view(shape)).round().to(torch.int8)
        result[f"{name}.scale"] = scale
    return {name: tensor.contiguous() for name, tensor in result.items()}


def some(clips: Sequence[Clip], number: int) -> list[Clip]:
    """The first clips of each speaker and emotion, in the order of a fixed shuffle."""
    kept: dict[tuple[str, str], list[Clip]] = defaultdict(list)
    for i in np.random.default_rng(0).permutation(len(clips)):
        kept[clips[i].example.speaker, clips[i].label].append(clips[i])
    return [clip for cell in kept.values() for clip in cell[:number]]


def speech(recordings: Sequence[Recording]) -> list[NDArray[np.float32]]:
    """Waves without what lies before and after their speech."""
    waves = [recording.wave for recording in recordings]
    for i, found in enumerate(split_recordings(waves)):
        if found:
            start, end = round(found[0].start * SAMPLE_RATE), round(found[-1].end * SAMPLE_RATE)
            waves[i] = waves[i][start:end]
    return waves


def emotion_directions(
    embeddings: Sequence[Embeddings], speakers: Sequence[Names], labels: Sequence[Names]
) -> Embeddings:
    """Directions ``(192, 8)`` in which the mean embeddings of one speaker's emotions differ most.

    Args:
        embeddings: Of each corpus, ``(clips, 192)``.
        speakers: Of each corpus, ``(clips,)``.
        labels: Of each corpus, ``(clips,)``.
    """
    covariance = np.zeros((embeddings[0].shape[1],) * 2)
    for found, of, emotions in zip(embeddings, speakers, labels, strict=True):
        names = np.unique(of)
        for name in names:
            own = of == name
            kinds = [found[own & (emotions == e)].mean(0) for e in np.unique(emotions[own])]
            differences = np.stack(kinds) - found[own].mean(0)
            covariance += differences.T @ differences / len(names)
    return np.ascontiguousarray(np.linalg.eigh(covariance)[1][:, -DIRECTIONS:])


def _labels(clips: Sequence[Clip]) -> Names:
    return np.array([clip.label for clip in clips])


def main() -> None:
    """Convert, embed the corpora, write the packaged file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path)
    parser.add_argument("corpora", type=Path)
    parser.add_argument("--only-emotion", action="store_true", help="keep the converted weights")
    chosen = parser.parse_args()
    if chosen.only_emotion:
        tensors = load_file(WEIGHTS)
    else:
        state = torch.load(chosen.weights, map_location="cpu", weights_only=True)
        tensors = rounded(converted(state))
        save_file(tensors, WEIGHTS)
    clips, embeddings = [], []
    for name in CORPORA:
        examples = load_corpus(f"{name}:{chosen.corpora / name}").examples
        clips.append(some(load_clips(examples), CLIPS))
        embeddings.append(raw_embeddings(speech([c.recording for c in clips[-1]])))
        print(f"{name}: {len(clips[-1])} clips", flush=True)
    mean = np.mean([found.mean(0) for found in embeddings], axis=0)
    speakers = [np.array([c.example.speaker for c in of]) for of in clips]
    directions = emotion_directions(embeddings, speakers, [_labels(of) for of in clips])
    tensors["mean"] = torch.from_numpy(mean).float()
    tensors["emotion"] = torch.from_numpy(directions).float()
    save_file(tensors, WEIGHTS)


if __name__ == "__main__":
    main()
