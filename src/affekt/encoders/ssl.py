"""Any speech encoder of Hugging Face's transformers (extra ``ssl``): wav2vec 2.0, HuBERT, WavLM.

The hidden frames after a chosen layer, or of all layers for a learned mix, are pooled over
each segment. Clips are heard one at a time: several of these models normalise over the whole
batch when it is padded, and a clip's vectors must not depend on its neighbours.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..errors import CheckpointError
from ..segments import SAMPLE_RATE, SEGMENT
from .protocol import SegmentEncoder

SHORTEST = round(SEGMENT * SAMPLE_RATE)  # samples; a shorter clip is padded to one segment


class SpeechEncoder(SegmentEncoder):
    """Segment vectors from the frames of a transformer on the raw wave."""

    contextual = True

    def __init__(self, model: Any, *, layer: int, pooling: str, mix: bool) -> None:
        super().__init__()
        self.model = model
        self.layer, self.pooling, self.mix = layer, pooling, mix
        width = int(model.config.hidden_size)
        layers = int(model.config.num_hidden_layers)
        if layer > layers:
            raise CheckpointError(f"the encoder has {layers} layers; encoder.layer = {layer}")
        self.stacked = layers + 1 if mix else 1  # the first is what enters the transformer
        self.dim = self.stacked * width * (2 if pooling == "mean+sd" else 1)
        self.rate = SAMPLE_RATE / math.prod(model.config.conv_stride)  # frames a second
        self.architecture = model.config.to_dict()

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """See `SegmentEncoder`; of a mix the layers stand one after another."""
        return torch.cat([self._one(w, s) for w, s in zip(waves, spans, strict=True)])

    def _one(self, wave: Tensor, spans: Tensor) -> Tensor:
        padded = F.pad(wave, (0, max(0, SHORTEST - len(wave))))
        scaled = (padded - padded.mean()) / (padded.std() + 1e-7)
        hidden = self.model(scaled[None], output_hidden_states=True).hidden_states
        chosen = torch.stack(hidden if self.mix else [hidden[self.layer]])[:, 0]
        starts = (spans[:, 0] * self.rate).round().long()
        index = starts[:, None] + torch.arange(round(SEGMENT * self.rate))
        last = chosen.shape[1] - 1  # convolutions without padding leave a frame or two less
        segments = chosen[:, index.clamp(max=last)]  # (layers, segments, frames, width)
        pooled = segments.mean(2)
        if self.pooling == "mean+sd":
            pooled = torch.cat([pooled, segments.std(2, correction=0)], dim=-1)
        return pooled.transpose(0, 1).flatten(1)


def load_ssl(source: str | None, *, layer: int, pooling: str, mix: bool) -> SpeechEncoder:
    """Load a model from a folder, or by its name from the hub.

    Raises:
        CheckpointError: transformers is missing, no such model, or not one that hears waves.
    """
    if not source:
        raise CheckpointError("the encoder ssl needs --encoder.weights FOLDER or a name of the hub")
    transformers = _transformers()
    try:
        model = transformers.AutoModel.from_pretrained(source, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{source}: not a model that transformers loads ({reason})") from None
    if not hasattr(model.config, "conv_stride"):
        raise CheckpointError(
            f"{source}: {type(model).__name__} does not hear waves as wav2vec 2.0, HuBERT, WavLM do"
        )
    encoder = SpeechEncoder(model.eval(), layer=layer, pooling=pooling, mix=mix)
    encoder.origin = f"{source.rstrip('/').rsplit('/', 1)[-1]} (transformers)"
    return encoder


def empty_ssl(
    architecture: Mapping[str, Any], *, layer: int, pooling: str, mix: bool
) -> SpeechEncoder:
    """The model of an architecture as `SpeechEncoder.architecture` gives it, to be filled.

    Raises:
        CheckpointError: transformers is missing.
        ValueError: It does not know the architecture.
    """
    transformers = _transformers()
    config = transformers.AutoConfig.for_model(**architecture)
    model = transformers.AutoModel.from_config(config)
    return SpeechEncoder(model.eval(), layer=layer, pooling=pooling, mix=mix)


def _transformers() -> Any:
    try:
        import transformers
    except ModuleNotFoundError:
        raise CheckpointError(
            "the encoder ssl needs transformers: pip install 'affekt[ssl]'"
        ) from None
    return transformers
