"""A model as a module that can be exported to ONNX: waves in, probabilities and attention out.

RMS normalisation, segmentation, front end, encoder and sequence model are part of the graph, so
that only onnxruntime and numpy are needed to run it. It computes what `Recognizer` computes, with
tensor operations only: lengths are computed from shapes and from ``lengths``, and there is no
Python loop over clips.
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
from ..nn.encoders.concatenated import Concatenated
from ..nn.encoders.melspec import HOP, vggish_log_mel
from ..nn.encoders.protocol import SegmentEncoder
from ..nn.encoders.vggish import SAMPLES, VGGish
from ..nn.encoders.voice_frames import VoiceFrames
from ..nn.encoders.whisper import Whisper, hidden_frame
from ..nn.sequence_model import BiLSTM, NoRecurrence, mask_of
from ..nn.speech_gate import SHORTEST

STEP = round(WINDOW * 100)  # frames from one window of a long clip to the next
CONTEXT = round(MARGIN * 100)  # frames of context on either side of a window
LONGEST = round((MARGIN + WINDOW + SEGMENT + MARGIN) * SAMPLE_RATE)  # samples in a window


class Graph(nn.Module):
    """A trained model made of operations that ONNX has.

    Args:
        checkpoint: The model.

    Raises:
        AffektError: A part of the model cannot be exported.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        super().__init__()
        self.model: EmotionModel = copy.deepcopy(checkpoint.model).eval()
        rnn = self.model.sequence.rnn
        if isinstance(rnn, BiLSTM):
            self.model.sequence.rnn = UnpackedBiLSTM(rnn)
        elif not isinstance(rnn, NoRecurrence):
            raise AffektError(f"{checkpoint.name}: peephole cells cannot be exported to ONNX")
        if not isinstance(self.model.encoder, Whisper | VGGish | Concatenated):
            raise AffektError(
                f"{checkpoint.name}: only models with the encoder whisper, whisper+campplus or "
                "vggish can be exported"
            )
        self.rms_normalise = checkpoint.config.audio.normalisation == "rms"
        self.hop = round(checkpoint.config.segments.hop * 100)

    def forward(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, ...]:
        """Recognise a batch of clips.

        Args:
            waves: ``(batch, samples)``, mono, 16 kHz, padded at the end.
            lengths: Number of samples of each clip ``(batch,)``.

        Returns:
            ``probabilities (batch, classes)``; ``timeline (batch, segments, classes)``;
            ``attention (batch, segments)``, zero for padding; ``starts (batch, segments)`` in
            seconds; ``speech (batch,)``, false where the result is uncertain.
        """
        waves = waves * mask_of(lengths, waves.shape[1])
        normalised, rms = rms_normalised(waves, lengths)
        waves = normalised if self.rms_normalise else waves
        starts, valid = self.segments(waves, lengths)
        encoder = self.model.encoder
        if isinstance(encoder, VGGish):
            embeddings = vggish_embeddings(encoder, waves, starts)
        else:
            embeddings = contextual_embeddings(encoder, waves, lengths, starts)
        counts = valid.sum(1)
        inside = valid[..., None]
        mean = (embeddings * inside).sum(1) / counts[:, None]
        speech = self.model.gate.score(mean) >= self.model.gate.threshold
        speech = speech & (rms >= SILENCE) & (lengths >= SHORTEST * SAMPLE_RATE)
        standardised = self.model.standardise(embeddings)
        linear = self.model.linear(standardised)
        projected = self.model.projection(standardised) * inside
        output = self.model.sequence(projected, counts)
        temperature = self.model.temperatures[0]
        timeline = self.model.sequence.timeline(output.hidden) + linear
        logits = output.logits + (linear * inside).sum(1) / counts[:, None]
        timeline = (timeline / temperature).softmax(-1)
        return (
            (logits / temperature).softmax(-1),
            timeline * inside,
            output.attention / output.attention.sum(1, keepdim=True),
            starts.float() / 100,
            speech,
        )

    def segments(self, waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Segments of each clip, equal to those of `affekt.audio.segmentation.uniform`.

        Returns:
            First frames ``(batch, segments)``, and bool ``(batch, segments)``, false for padding.
        """
        longest = max(waves.shape[1] // HOP - SEGMENT_FRAMES, 0)
        last = (lengths // HOP - SEGMENT_FRAMES).clamp_min(0)[:, None]
        regular = torch.arange((longest + self.hop - 1) // self.hop + 1) * self.hop
        valid = (regular - self.hop < last) | (regular == 0)
        return torch.minimum(regular, last), valid


class UnpackedBiLSTM(nn.Module):
    """`BiLSTM` without packed sequences, which ONNX does not have.

    Two separate LSTMs; the second reads each clip reversed within its own length.

    Args:
        packed: The network whose weights are used.
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
        position = torch.arange(x.shape[1])
        same = (position + torch.zeros_like(lengths)[:, None])[..., None]
        reverse = (lengths[:, None] - 1 - position).clamp_min(0)[..., None]
        # torch's exporter makes the number of segments in the shape of an LSTM's output a
        # constant; the output of gather has the shape of its index.
        forth = _gather(self.forth(x)[0], same)
        back = _gather(self.back(_gather(x, reverse))[0], reverse)
        return torch.cat([forth, back], dim=-1) * mask_of(lengths, x.shape[1])[..., None]


def _gather(x: Tensor, index: Tensor) -> Tensor:
    return x.gather(1, index.expand(-1, -1, x.shape[2]))


def rms_normalised(waves: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Normalise zero-padded clips as `affekt.audio.level.rms_normalise` does.

    Returns:
        Normalised waves ``(batch, samples)``, and the RMS of each clip ``(batch,)`` before.
    """
    n = lengths[:, None].float()
    centred = (waves - waves.sum(1, keepdim=True) / n) * mask_of(lengths, waves.shape[1])
    rms = (centred.square().sum(1, keepdim=True) / n).sqrt()
    gain = torch.where(rms > SILENCE, TARGET_RMS / rms, torch.ones_like(rms))
    return centred * gain, rms[:, 0]


def contextual_embeddings(
    encoder: SegmentEncoder, waves: Tensor, lengths: Tensor, starts: Tensor
) -> Tensor:
    """Embeddings ``(batch, segments, dim)``; long clips are cut into windows as in `encode`.

    Args:
        encoder: The encoder.
        waves: ``(batch, samples)``, zero-padded.
        lengths: Number of samples of each clip ``(batch,)``.
        starts: First frame of each segment ``(batch, segments)``.
    """
    samples = waves.shape[1]
    count = max((samples + STEP * HOP - 1) // (STEP * HOP), 1)
    window = torch.arange(count)
    offset = (window * STEP - CONTEXT).clamp_min(0)  # frames
    stop = (window + 1) * STEP + SEGMENT_FRAMES + CONTEXT
    length = min(samples, LONGEST)
    index = (offset[:, None] * HOP + torch.arange(length)).clamp_max(samples - 1)
    inside = (torch.minimum(lengths[:, None], stop * HOP) - offset * HOP).clamp_min(0)
    pieces = waves[:, index].flatten(0, 1)
    pieces = pieces * mask_of(inside.flatten(), length)
    which = starts // STEP
    first = hidden_frame(starts - offset[which])
    frame = first[..., None] + torch.arange(SEGMENT_FRAMES // 2)
    clip = torch.arange(waves.shape[0])[:, None, None]
    found = []
    parts = list(encoder.encoders) if isinstance(encoder, Concatenated) else [encoder]
    for each in cast(list[Whisper | VoiceFrames], parts):
        frames = each.padded_frames(pieces, inside.flatten()).unflatten(0, (-1, count))
        last = each.last_frame(inside)[clip[..., 0], which]
        found.append(each.pooled(frames[clip, which[..., None], frame.minimum(last[..., None])]))
    return torch.cat(found, dim=-1)


def vggish_embeddings(encoder: VGGish, waves: Tensor, starts: Tensor) -> Tensor:
    """Embeddings ``(batch, segments, 128)`` of segments that begin at the frames `starts`."""
    mel = vggish_log_mel(F.pad(waves, (0, SAMPLES)))
    frame = starts[..., None] + torch.arange(SEGMENT_FRAMES)
    patches = mel[torch.arange(waves.shape[0])[:, None, None], frame]
    return encoder.embed(patches.flatten(0, 1)).unflatten(0, starts.shape)
