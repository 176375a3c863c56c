"""Export a model to an ONNX file and compare its outputs with those of the model."""

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
from onnxscript.optimizer import fold_constants, remove_unused_nodes
from torch import Tensor

from .. import __version__
from ..atomic import write
from ..audio.level import rms_normalise
from ..audio.resampling import Wave
from ..audio.segmentation import SAMPLE_RATE, SEGMENT, uniform
from ..errors import AffektError
from ..nn.checkpoint import Checkpoint, require_classes
from ..nn.encoders.batching import encode
from .graph import Graph

CHECKED_SEGMENTS = (1, 2, 7, 50)  # of the clips on which graph and model are compared
TOLERANCE = 2e-3  # difference of a probability; 50 times the error of rounding
LARGE = 1 << 16  # elements; smaller matrices are not quantised
OUTPUTS = ["probabilities", "timeline", "attention", "starts", "speech"]


def export_onnx(checkpoint: Checkpoint, path: Path, *, int8: bool) -> float:
    """Export a model to one ONNX file; `Graph.forward` describes its inputs and outputs.

    Args:
        checkpoint: The model.
        path: New file. Its metadata include labels, license and intended use.
        int8: Quantise the encoder's matrices to 8 bits.

    Returns:
        The largest difference between a probability of the file and of the model, for clips of
        1, 2, 7 and 50 segments, alone and in one batch.

    Raises:
        AffektError: A part of the model cannot be exported, the graph does not run or its outputs
            differ from those of the model, or the file exists or cannot be written.
    """
    if path.exists():
        raise AffektError(f"{path}: exists; choose another name")
    require_classes(checkpoint.name, checkpoint.dimensions, "the export")
    graph = Graph(checkpoint)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / "draft.onnx"
        _export(graph, draft)
        if int8:
            _quantise(draft)
        proto = onnx.load(draft)
    onnx.helper.set_model_props(proto, _metadata(checkpoint))
    content = proto.SerializeToString()
    try:
        difference = largest_difference(content, checkpoint)
    except (Fail, InvalidArgument) as error:
        raise AffektError(f"{checkpoint.name}: the exported graph does not run: {error}") from error
    if not int8 and difference > TOLERANCE:
        raise AffektError(
            f"{checkpoint.name}: probabilities of the exported graph differ by {difference:.3f}; "
            "nothing was written"
        )
    write(path, content)
    return difference


def largest_difference(content: bytes, checkpoint: Checkpoint) -> float:
    """Largest difference between the outputs of the graph and of the model on synthetic clips.

    Raises:
        AffektError: The graph has fewer segments of a clip than the model.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options)
    hop = checkpoint.config.segments.hop
    seconds = [SEGMENT + (n - 1) * hop for n in CHECKED_SEGMENTS] + [0.5, SEGMENT + 1.3 * hop]
    waves = [synthetic_vowel(round(s * SAMPLE_RATE), seed) for seed, s in enumerate(seconds)]
    expected = [_model_outputs(checkpoint, wave) for wave in waves]
    largest = 0.0
    for chosen in [*([i] for i in range(len(waves))), list(range(len(waves)))]:
        lengths = np.array([len(waves[i]) for i in chosen])
        batch = np.zeros((len(chosen), lengths.max()), np.float32)
        for row, i in zip(batch, chosen, strict=True):
            row[: len(waves[i])] = waves[i]
        got = session.run(OUTPUTS[:3], {"waves": batch, "lengths": lengths})
        for row, i in enumerate(chosen):
            for ours, theirs in zip(expected[i], got, strict=True):
                if len(theirs[row]) < len(ours):
                    raise AffektError(
                        f"{checkpoint.name}: the exported graph has {len(theirs[row])} of "
                        f"{len(ours)} segments of a clip"
                    )
                largest = max(largest, float(np.abs(theirs[row][: len(ours)] - ours).max()))
    return largest


def synthetic_vowel(samples: int, seed: int) -> Wave:
    """Harmonics of 120 Hz with syllables of 3 Hz and white noise ``(samples,)``."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples) / SAMPLE_RATE
    harmonics = sum(np.sin(2 * np.pi * 120 * k * t + seed) / k for k in range(1, 20))
    syllables = 0.55 + 0.45 * np.sin(2 * np.pi * 3 * t)
    return (0.1 * syllables * harmonics + 0.01 * rng.standard_normal(samples)).astype(np.float32)


@torch.inference_mode()
def _model_outputs(checkpoint: Checkpoint, wave: Wave) -> list[NDArray[np.float32]]:
    """Probabilities, timeline and attention of the model itself, in float32."""
    model, config = checkpoint.model.eval(), checkpoint.config
    spans = uniform(len(wave) / SAMPLE_RATE, config.segments.hop)
    [(_, embeddings)] = encode(
        model.encoder,
        [rms_normalise(wave) if config.audio.normalisation == "rms" else wave],
        [spans],
    )
    standardised = [model.standardise(embeddings)]
    output = model.classify(standardised)

    def calibrated(logits: Tensor) -> NDArray[np.float32]:
        return (logits / model.temperatures[0]).softmax(-1)[0].numpy()

    attention = output.attention[0] / output.attention[0].sum()
    timeline = calibrated(model.timeline(output, standardised))
    return [calibrated(output.logits), timeline, attention.numpy()]


@torch.no_grad()
def _export(graph: Graph, path: Path) -> None:
    """Write the graph for any batch size and any length."""
    batch, samples = torch.export.Dim("batch"), torch.export.Dim("samples")
    example = torch.zeros(2, 40_000), torch.tensor([40_000, 30_000])
    graph.eval()(*example)  # fills the caches of mel filters, which tracing must not do
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations within torch
        program = torch.onnx.export(
            graph,
            example,
            dynamo=True,
            dynamic_shapes=({0: batch, 1: samples}, {0: batch}),
            input_names=["waves", "lengths"],
            output_names=OUTPUTS,
            verbose=False,
            optimize=False,
        )
    program = cast(torch.onnx.ONNXProgram, program)
    # Of the exporter's optimiser only what onnxruntime does not do itself, and int8 needs: the
    # rewrite rules of the rest take half as long again and change neither outputs nor speed.
    fold_constants(program.model)
    remove_unused_nodes(program.model)
    program.save(path)


def _quantise(path: Path) -> None:
    """Quantise the encoder's matrices to 8 bits, with a scale for each column."""
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


def _metadata(checkpoint: Checkpoint) -> dict[str, str]:
    """Metadata of the file, among them the training speakers: no score is valid on these."""
    names = ("corpus", "adapted_from", "training_speakers", "validation_speakers")
    training = checkpoint.training.to_json()
    known = {name: training[name] for name in names if name in training}
    return {
        "affekt": __version__,
        "model": checkpoint.name,
        "labels": json.dumps(checkpoint.labels, ensure_ascii=False),
        "sample_rate": str(SAMPLE_RATE),
        "hop": str(checkpoint.config.segments.hop),
        "intended_use": checkpoint.intended_use,
        "license": checkpoint.license,
        "note": checkpoint.intended_use,  # the names of version 0.1, until 0.3
        "terms": checkpoint.license,
        "training": json.dumps(known, ensure_ascii=False),
    }
