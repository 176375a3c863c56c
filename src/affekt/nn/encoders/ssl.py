"""Speech encoders of Hugging Face's transformers (extra ``ssl``).

wav2vec 2.0, HuBERT and WavLM take the wave. Of Whisper the encoder is used, with its own front end,
which always takes 30 s; `affekt.nn.encoders.whisper` is faster.

The hidden frames after a chosen layer, or of all layers for a learned mix, are pooled over each
segment. Clips are encoded one at a time: several of these models normalise over a padded batch, and
the embeddings of a clip must not depend on other clips.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ...audio.segmentation import FRAMES_PER_SECOND, SAMPLE_RATE, SEGMENT
from ...errors import CheckpointError
from ...extras import optional_import
from ...plural import counted
from .protocol import SegmentEncoder

WHISPER_STRIDE = 320  # samples from one frame of Whisper's encoder to the next
SHORTEST = round(SEGMENT * SAMPLE_RATE)  # samples; a shorter clip is padded to one segment


class SpeechEncoder(SegmentEncoder):
    """Embeddings from the frames of a transformer, whose input is the wave or Whisper's log-mel.

    Args:
        model: A model of transformers.
        layer: Use the output of this layer.
        pooling: "mean", or "mean+sd" for mean and standard deviation of a segment's frames.
        mix: Concatenate all layers, for a learned mix.

    Raises:
        CheckpointError: The model has fewer layers.
    """

    contextual = True

    def __init__(self, model: Any, *, layer: int, pooling: str, mix: bool) -> None:
        super().__init__()
        self.on_mel = model.config.model_type == "whisper"
        self.model = model.get_encoder() if self.on_mel else model
        self.layer, self.pooling, self.mix = layer, pooling, mix
        width = int(model.config.hidden_size)
        layers = int(model.config.num_hidden_layers)
        if layer > layers:
            raise CheckpointError(
                f"the encoder has {counted(layers, 'layer')}, but encoder.layer = {layer}"
            )
        self.stacked = layers + 1 if mix else 1  # the first is the transformer's input
        self.dim = self.stacked * width * (2 if pooling == "mean+sd" else 1)
        stride = WHISPER_STRIDE if self.on_mel else math.prod(model.config.conv_stride)
        self.rate = SAMPLE_RATE / stride  # hidden frames per second
        self.architecture = model.config.to_dict()
        if self.on_mel:
            bands = model.config.num_mel_bins
            self.front_end = _transformers().WhisperFeatureExtractor(feature_size=bands)

    def forward(self, waves: Sequence[Tensor], spans: Sequence[Tensor]) -> Tensor:
        """See `SegmentEncoder`; for a mix, the layers are concatenated."""
        return torch.cat([self._one(w, s) for w, s in zip(waves, spans, strict=True)])

    def _one(self, wave: Tensor, spans: Tensor) -> Tensor:
        hidden = self.model(self._input(wave), output_hidden_states=True).hidden_states
        chosen = torch.stack(hidden if self.mix else [hidden[self.layer]])[:, 0]
        starts = (spans[:, 0].double() / FRAMES_PER_SECOND * self.rate).round().long()
        index = starts[:, None] + torch.arange(round(SEGMENT * self.rate))
        last = chosen.shape[1] - 1  # one or two frames fewer, as the convolutions are not padded
        segments = chosen[:, index.clamp(max=last)]  # (layers, segments, frames, width)
        pooled = segments.mean(2)
        if self.pooling == "mean+sd":
            pooled = torch.cat([pooled, segments.std(2, correction=0)], dim=-1)
        return pooled.transpose(0, 1).flatten(1)

    def _input(self, wave: Tensor) -> Tensor:
        """Input of the model: standardised wave ``(1, samples)``, or log-mel of 30 s."""
        if self.on_mel:
            mel = self.front_end(wave.numpy(), sampling_rate=SAMPLE_RATE, return_tensors="pt")
            return mel.input_features
        padded = F.pad(wave, (0, max(0, SHORTEST - len(wave))))
        return ((padded - padded.mean()) / (padded.std() + 1e-7))[None]


def load_ssl(weights: str | None, *, layer: int, pooling: str, mix: bool) -> SpeechEncoder:
    """Load a model with its weights.

    Args:
        weights: Folder, or name on the Hugging Face hub.
        layer: See `SpeechEncoder`.
        pooling: See `SpeechEncoder`.
        mix: See `SpeechEncoder`.

    Raises:
        CheckpointError: There is no such model, or it is not a speech encoder.
        MissingExtraError: transformers is not installed.
    """
    if not weights:
        raise CheckpointError(
            "the encoder ssl needs --encoder.weights with a folder or a model name of the hub"
        )
    transformers = _transformers()
    try:
        model = transformers.AutoModel.from_pretrained(weights, trust_remote_code=False)
    except (OSError, ValueError, RuntimeError) as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{weights}: transformers cannot load it ({reason})") from error
    if not hasattr(model.config, "conv_stride") and model.config.model_type != "whisper":
        raise CheckpointError(
            f"{weights}: {type(model).__name__} is not a speech encoder like wav2vec 2.0, HuBERT, "
            "WavLM or Whisper"
        )
    encoder = SpeechEncoder(model.eval(), layer=layer, pooling=pooling, mix=mix)
    encoder.origin = f"{weights.rstrip('/').rsplit('/', 1)[-1]} (transformers)"
    return encoder


def empty_ssl(
    architecture: Mapping[str, Any], *, layer: int, pooling: str, mix: bool
) -> SpeechEncoder:
    """Build a model without its weights.

    Args:
        architecture: `SpeechEncoder.architecture` of the model.
        layer: See `SpeechEncoder`.
        pooling: See `SpeechEncoder`.
        mix: See `SpeechEncoder`.

    Raises:
        MissingExtraError: transformers is not installed.
        ValueError: transformers does not know the architecture.
    """
    transformers = _transformers()
    config = transformers.AutoConfig.for_model(**architecture)
    model = transformers.AutoModel.from_config(config)
    return SpeechEncoder(model.eval(), layer=layer, pooling=pooling, mix=mix)


def _transformers() -> Any:
    with optional_import("the encoder ssl"):
        import transformers
    return transformers
