"""Writing the graph of a model as an ONNX file, checked against the model it came from."""

import json
import logging
import tempfile
import warnings
from pathlib import Path
from typing import cast

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor

from .. import __version__
from ..atomic import write
from ..audio.level import rms_normalise
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE, SEGMENT, uniform
from ..errors import AffektError
from ..nn.checkpoint import Checkpoint
from ..nn.encoders.batching import encode
from .graph import Graph

CHECKED = (1, 2, 7, 50)  # segments
TOLERANCE = 2e-3  # of a probability; 50 times what rounding does
LARGE = 1 << 16  # numbers in a matrix that is worth storing as int8
OUTPUTS = ["probabilities", "timeline", "attention", "starts", "speech"]


def export_onnx(checkpoint: Checkpoint, path: Path, *, int8: bool) -> float:
    """Write a model as one ONNX file; see `Graph` for what goes in and comes out.

    Args:
        checkpoint: The model.
        path: The file, not there yet. Labels, terms and note stand in its metadata.
        int8: Store the encoder's matrices in 8 bits, and multiply so.

    Returns:
        The largest difference of a probability from the model's, over clips of 1, 2, 7 and 50
        segments, alone and in one batch.

    Raises:
        AffektError: The model has parts that no graph can hold, the graph does not run or says
            something else than the model, or the file exists or cannot be written.
    """
    if path.exists():
        raise AffektError(f"{path}: exists; choose another name")
    graph = Graph(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        _draft(graph, draft)
        if int8:
            _shrink(draft)
        proto = onnx.load(draft)
    onnx.helper.set_model_props(proto, _about(checkpoint))
    content = proto.SerializeToString()
    try:
        difference = check(content, checkpoint)
    except (Fail, InvalidArgument) as error:
        raise AffektError(f"{checkpoint.name}: the exported graph does not run: {error}") from None
    if not int8 and difference > TOLERANCE:
        raise AffektError(
            f"{checkpoint.name}: the exported graph is off by {difference:.3f}; nothing was written"
        )
    write(path, content)
    return difference


def check(content: bytes, checkpoint: Checkpoint) -> float:
    """Largest difference between what the graph and the model say of the same sounds."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options)
    hop = checkpoint.config.segments.hop
    seconds = [SEGMENT + (n - 1) * hop for n in CHECKED] + [0.5, SEGMENT + 1.3 * hop]
    waves = [hum(round(s * SAMPLE_RATE), seed) for seed, s in enumerate(seconds)]
    expected = [_told(checkpoint, wave) for wave in waves]
    worst = 0.0
    for chosen in [*([i] for i in range(len(waves))), list(range(len(waves)))]:
        lengths = np.array([len(waves[i]) for i in chosen])
        batch = np.zeros((len(chosen), lengths.max()), np.float32)
        for row, i in zip(batch, chosen, strict=True):
            row[: len(waves[i])] = waves[i]
        got = session.run(OUTPUTS[:3], {"waves": batch, "lengths": lengths})
        for row, i in enumerate(chosen):
            for ours, theirs in zip(expected[i], got, strict=True):
                worst = max(worst, float(np.abs(theirs[row][: len(ours)] - ours).max()))
    return worst


def hum(samples: int, seed: int) -> Wave:
    """Something between a voice and a noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / SAMPLE_RATE
    voice = sum(np.sin(2 * np.pi * 120 * k * t + seed) / k for k in range(1, 20))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * t)
    return (0.1 * syllables * voice + 0.01 * rng.standard_normal(samples)).astype(np.float32)


@torch.inference_mode()
def _told(checkpoint: Checkpoint, wave: Wave) -> list[NDArray[np.float32]]:
    """Probabilities, timeline and attention by the model itself, in float32."""
    model, config = checkpoint.model.eval(), checkpoint.config
    spans = uniform(len(wave) / SAMPLE_RATE, config.segments.hop)
    [(_, embeddings)] = encode(
        model.encoder,
        [rms_normalise(wave) if config.audio.normalisation == "rms" else wave],
        [spans],
    )
    output = model.classify([model.standardise(embeddings)])

    def soft(logits: Tensor) -> NDArray[np.float32]:
        return (logits / model.temperatures[0]).softmax(-1)[0].numpy()

    attention = output.attention[0] / output.attention[0].sum()
    return [
        soft(output.logits), soft(model.sequence.timeline(output.hidden)), attention.numpy()
    ]  # fmt: skip


@torch.no_grad()
def _draft(graph: Graph, path: Path) -> None:
    """Let torch write the graph, for any batch and any length."""
    batch, samples = torch.export.Dim("batch"), torch.export.Dim("samples")
    example = torch.zeros(2, 40_000), torch.tensor([40_000, 30_000])
    graph.eval()(*example)  # what is computed once and kept must not be made while torch traces
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about itself
        program = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            dynamic_shapes=({0: batch, 1: samples}, {0: batch}),
            input_names=["waves", "lengths"],
            output_names=OUTPUTS,
            verbose=False,
        )
    cast(torch.onnx.ONNXProgram, program).save(path)


def _shrink(path: Path) -> None:
    """The encoder's matrices in 8 bits, a scale to each column; front end and head stay."""
    proto = onnx.load(path)
    large = {
        t.name for t in proto.graph.initializer if len(t.dims) == 2 and np.prod(t.dims) >= LARGE
    }
    nodes = [n.name for n in proto.graph.node if n.op_type == "MatMul" and n.input[1] in large]
    logging.getLogger().disabled, before = True, logging.getLogger().disabled
    try:
        quantize_dynamic(
            path, path, nodes_to_quantize=nodes, per_channel=True, weight_type=QuantType.QInt8
        )
    finally:
        logging.getLogger().disabled = before


def _about(checkpoint: Checkpoint) -> dict[str, str]:
    """Metadata of the file. Who was trained on is part of it: it decides what a score means."""
    names = ("corpus", "adapted_from", "training_speakers", "validation_speakers")
    training = checkpoint.training.to_json()
    known = {name: training[name] for name in names if name in training}
    return {
        "affekt": __version__,
        "model": checkpoint.name,
        "labels": json.dumps(checkpoint.labels, ensure_ascii=False),
        "sample_rate": str(SAMPLE_RATE),
        "hop": str(checkpoint.config.segments.hop),
        "note": checkpoint.intended_use,
        "terms": checkpoint.license,
        "training": json.dumps(known, ensure_ascii=False),
    }
