"""A model as one ONNX graph: waves in, probabilities and attention out.

Front end, level, segmentation, encoder and head are inside, so that onnxruntime and numpy are
all that it takes to run. The graph does what `Recognizer` does, in tensors alone: every length
is arithmetic on shapes and on ``lengths``, nothing is a Python loop over clips.
"""

import copy
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..audio.level import SILENCE, TARGET_RMS
from ..audio.segmentation import SAMPLE_RATE, SEGMENT, SEGMENT_FRAMES
from ..errors import AffektError
from ..nn.checkpoint import Checkpoint
from ..nn.emotion_model import EmotionModel
from ..nn.encoders.batching import MARGIN, WINDOW
from ..nn.encoders.melspec import HOP, vggish_log_mel
from ..nn.encoders.vggish import SAMPLES, VGGish
from ..nn.encoders.whisper import Whisper, hidden_frame
from ..nn.sequence_model import BiLSTM, NoRecurrence, mask_of
from ..nn.speech_gate import SHORTEST

STEP = round(WINDOW * 100)  # frames from one window of a long clip to the next
BEFORE = round(MARGIN * 100)
LONGEST = round((MARGIN + WINDOW + SEGMENT + MARGIN) * SAMPLE_RATE)  # samples in a window


class Graph(nn.Module):
    """A model in tensors alone.

    Inputs: ``waves (batch, samples)`` at 16 kHz, mono, zero after each clip's end, and
    ``lengths (batch,)`` in samples. Outputs: ``probabilities (batch, classes)``;
    ``timeline (batch, segments, classes)``; ``attention (batch, segments)``, zero where a clip has
    no segment; ``starts (batch, segments)`` in seconds; ``speech (batch,)``, false where the
    result should not be believed.

    Raises:
        AffektError: The model has parts that no graph can hold.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.model: EmotionModel = copy.deepcopy(checkpoint.model).eval()
        rnn = self.model.sequence.rnn
        if isinstance(rnn, BiLSTM):
            self.model.sequence.rnn = Unpacked(rnn)
        elif not isinstance(rnn, NoRecurrence):
            raise AffektError(f"{checkpoint.name}: a graph cannot hold its peephole cells")
        if not isinstance(self.model.encoder, Whisper | VGGish):
            raise AffektError(f"{checkpoint.name}: export its encoder with the tools it came from")
        self.level = checkpoint.config.audio.normalisation == "rms"
        self.hop = round(checkpoint.config.segments.hop * 100)

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """See the class."""
        waves = waves * mask_of(lengths, waves.shape[1])
        level, rms = levelled(waves, lengths)
        waves = level if self.level else waves
        starts, valid = self.segments(waves, lengths)
        encoder = self.model.encoder
        if isinstance(encoder, VGGish):
            embeddings = vggish_vectors(encoder, waves, starts)
        else:
            embeddings = whisper_vectors(cast(Whisper, encoder), waves, lengths, starts)
        counts = valid.sum(1)
        inside = valid[..., None]
        mean = (embeddings * inside).sum(1) / counts[:, None]
        speech = self.model.gate.score(mean) >= self.model.gate.threshold
        speech = speech & (rms >= SILENCE) & (lengths >= SHORTEST * SAMPLE_RATE)
        projected = self.model.projection(self.model.standardise(embeddings)) * inside
        output = self.model.sequence(projected, counts)
        temperature = self.model.temperatures[0]
        timeline = (self.model.sequence.timeline(output.hidden) / temperature).softmax(-1)
        return (
            (output.logits / temperature).softmax(-1),
            timeline * inside,
            output.attention / output.attention.sum(1, keepdim=True),
            starts.float() / 100,
            speech,
        )

    def segments(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """As `affekt.audio.segmentation.uniform`: starts in frames, and which there are."""
        longest = max(waves.shape[1] // HOP - SEGMENT_FRAMES, 0)
        last = (lengths // HOP - SEGMENT_FRAMES).clamp_min(0)[:, None]
        regular = torch.arange((longest + self.hop - 1) // self.hop + 1) * self.hop
        valid = (regular - self.hop < last) | (regular == 0)
        return torch.minimum(regular, last), valid


class Unpacked(nn.Module):
    """The LSTM of `BiLSTM` without packing, which no graph can hold.

    Two directions apart, the second over each clip turned round within its own length.
    """

    def __init__(self, packed: BiLSTM) -> None:
        super().__init__()
        lstm = packed.lstm
        self.forth, self.back = (
            nn.LSTM(lstm.input_size, lstm.hidden_size, batch_first=True) for _ in range(2)
        )
        for name in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
            getattr(self.forth, name).data = getattr(lstm, name).data
            getattr(self.back, name).data = getattr(lstm, f"{name}_reverse").data

    def forward(self, x: Tensor, lengths: Tensor) -> Tensor:
        """See `BiLSTM`."""
        place = torch.arange(x.shape[1])
        same = (place + torch.zeros_like(lengths)[:, None])[..., None]
        turned = (lengths[:, None] - 1 - place).clamp_min(0)[..., None]
        # torch's exporter freezes the number of segments in the shape of an LSTM's output; what
        # is gathered has the shape of its index.
        forth = _gather(self.forth(x)[0], same)
        back = _gather(self.back(_gather(x, turned))[0], turned)
        return torch.cat([forth, back], dim=-1) * mask_of(lengths, x.shape[1])[..., None]


def _gather(x: Tensor, index: Tensor) -> Tensor:
    return x.gather(1, index.expand(-1, -1, x.shape[2]))


def levelled(waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """As `audio.recording.level`, of zero-padded clips; and their RMS ``(batch,)``."""
    n = lengths[:, None].float()
    centred = (waves - waves.sum(1, keepdim=True) / n) * mask_of(lengths, waves.shape[1])
    rms = (centred.square().sum(1, keepdim=True) / n).sqrt()
    gain = torch.where(rms > SILENCE, TARGET_RMS / rms, torch.ones_like(rms))
    return centred * gain, rms[:, 0]


def whisper_vectors(encoder: Whisper, waves: Tensor, lengths: Tensor, starts: Tensor) -> Tensor:
    """Vectors ``(batch, segments, dim)``; long clips window by window, as `encode` cuts them."""
    samples = waves.shape[1]
    count = max((samples + STEP * HOP - 1) // (STEP * HOP), 1)
    window = torch.arange(count)
    offset = (window * STEP - BEFORE).clamp_min(0)  # frames
    stop = (window + 1) * STEP + SEGMENT_FRAMES + BEFORE
    length = min(samples, LONGEST)
    index = (offset[:, None] * HOP + torch.arange(length)).clamp_max(samples - 1)
    inside = (torch.minimum(lengths[:, None], stop * HOP) - offset * HOP).clamp_min(0)
    pieces = waves[:, index].flatten(0, 1)
    pieces = pieces * mask_of(inside.flatten(), length)
    frames = encoder.padded_frames(pieces, inside.flatten())
    which = starts // STEP
    first = which * frames.shape[1] + hidden_frame(starts - offset[which])
    flat = frames.unflatten(0, (-1, count)).flatten(1, 2)
    frame = first[..., None] + torch.arange(SEGMENT_FRAMES // 2)
    clip = torch.arange(waves.shape[0])[:, None, None]
    return encoder.pooled(flat[clip, frame])


def vggish_vectors(encoder: VGGish, waves: Tensor, starts: Tensor) -> Tensor:
    """Vectors ``(batch, segments, 128)``."""
    mel = vggish_log_mel(F.pad(waves, (0, SAMPLES)))
    frame = starts[..., None] + torch.arange(SEGMENT_FRAMES)
    patches = mel[torch.arange(waves.shape[0])[:, None, None], frame]
    x = encoder.features(patches.flatten(0, 1)[:, None])
    embeddings = encoder.embeddings(x.permute(0, 2, 3, 1).flatten(1))
    return embeddings.unflatten(0, starts.shape)
