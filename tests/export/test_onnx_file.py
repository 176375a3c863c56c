import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import soundfile
import torch

from affekt import AffektError
from affekt.audio.decoding import read
from affekt.config import Config, Encoder
from affekt.export import onnx_file
from affekt.export.graph import Graph
from affekt.inference.recognizer import Recognizer
from affekt.nn.bundled import model_folder
from affekt.nn.checkpoint import Checkpoint, load_checkpoint
from affekt.nn.emotion_model import EmotionModel
from affekt.nn.encoders.vggish import VGGish
from affekt.nn.encoders.weights import build_encoder
from affekt.nn.encoders.whisper import Whisper


def untrained(tiny_config, encoder=None, **stage2):
    """A model with random weights and with temperatures."""
    torch.manual_seed(0)
    values = tiny_config.model_dump(exclude_unset=True)
    values["stage2"] = values.get("stage2", {}) | stage2
    config = Config.model_validate(values)
    model = EmotionModel(config, 3, encoder).eval()
    model.temperatures.copy_(torch.tensor([1.7, 1.3]))
    return Checkpoint(model, ["a", "b", "c"], config, "random")


@pytest.fixture(scope="module")
def file(tiny_config, tmp_path_factory):
    """The file of an untrained model with the default sequence model."""
    path = tmp_path_factory.mktemp("exported") / "m.onnx"
    assert onnx_file.export_onnx(untrained(tiny_config), path, int8=False) < 1e-3
    return path


def test_the_outputs_of_the_file_equal_those_of_the_model(file, tiny_config):
    content = file.read_bytes()
    assert onnx_file.largest_difference(content, untrained(tiny_config)) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize(("cell", "pooling"), [("lstm", "higher-order"), ("none", "covariance")])
def test_other_sequence_models_can_be_exported(cell, pooling, tiny_config, tmp_path):
    checkpoint = untrained(tiny_config, cell=cell, pooling=pooling)
    assert onnx_file.export_onnx(checkpoint, tmp_path / "m.onnx", int8=False) < 1e-3


@pytest.mark.slow
def test_a_model_with_vggish_can_be_exported(tiny_config, tmp_path):
    torch.manual_seed(1)
    checkpoint = untrained(tiny_config, VGGish().eval())
    assert onnx_file.export_onnx(checkpoint, tmp_path / "m.onnx", int8=False) < 1e-3


@pytest.mark.slow
def test_a_model_with_two_encoders_can_be_exported(tiny_config, tmp_path):
    checkpoint = untrained(
        tiny_config, build_encoder(Encoder(name="whisper+campplus")), cell="none"
    )
    assert onnx_file.export_onnx(checkpoint, tmp_path / "m.onnx", int8=False) < 1e-3


def test_a_graph_with_a_fixed_number_of_segments_is_not_written(tiny_config, tmp_path, monkeypatch):
    def frozen(self, waves, lengths):  # as where an exporter freezes the number of segments
        starts = torch.arange(4) * self.hop + torch.zeros_like(lengths)[:, None]
        return starts, starts >= 0

    monkeypatch.setattr(Graph, "segments", frozen)
    with pytest.raises(AffektError, match="has 4 of 7 segments"):
        onnx_file.export_onnx(untrained(tiny_config, cell="none"), tmp_path / "m.onnx", int8=False)
    assert not list(tmp_path.iterdir())


def test_a_graph_with_other_outputs_is_not_written(file, tiny_config, tmp_path, monkeypatch):
    checkpoint = untrained(tiny_config)
    checkpoint.model.temperatures.fill_(0.5)
    monkeypatch.setattr(onnx_file, "_export", lambda _, path: shutil.copy(file, path))
    with pytest.raises(AffektError, match=r"probabilities of the exported graph differ by 0\.\d"):
        onnx_file.export_onnx(checkpoint, tmp_path / "m.onnx", int8=False)
    assert not list(tmp_path.iterdir())


def test_peephole_cells_and_existing_files_are_refused(tiny_config, tmp_path):
    with pytest.raises(AffektError, match="peephole cells cannot be exported"):
        onnx_file.export_onnx(
            untrained(tiny_config, cell="peephole"), tmp_path / "m.onnx", int8=False
        )
    (tmp_path / "m.onnx").write_text("precious")
    with pytest.raises(AffektError, match="exists"):
        onnx_file.export_onnx(untrained(tiny_config), tmp_path / "m.onnx", int8=False)
    assert (tmp_path / "m.onnx").read_text() == "precious"


ALONE = """
import json, sys
import numpy as np, onnxruntime, soundfile
session = onnxruntime.InferenceSession(sys.argv[1])
about = session.get_modelmeta().custom_metadata_map
wave, rate = soundfile.read(sys.argv[2], dtype="float32")
outputs = session.run(None, {"waves": wave[None], "lengths": np.array([len(wave)])})
assert "torch" not in sys.modules
labels, use = json.loads(about["labels"]), about["intended_use"]
print(json.dumps([labels, use, *(t[0].tolist() for t in outputs)]))
"""


def test_onnxruntime_alone_runs_the_default_model_as_predict_does(exported_default, tmp_path):
    soundfile.write(
        tmp_path / "a.wav", onnx_file.synthetic_vowel(41_234, 0), 16_000, subtype="FLOAT"
    )
    done = subprocess.run(
        [sys.executable, "-c", ALONE, exported_default, tmp_path / "a.wav"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    labels, note, probabilities, timeline, attention, starts, speech = json.loads(done.stdout)
    recognizer = Recognizer(load_checkpoint(model_folder("default")))  # at the model's own hop
    [expected] = recognizer.recognise([read(tmp_path / "a.wav")])
    assert labels == list(expected.probabilities)
    assert note == recognizer.intended_use
    assert np.allclose(probabilities, list(expected.probabilities.values()), atol=0.02)
    assert np.allclose(starts, [s.start for s in expected.segments], atol=1e-6)
    assert np.allclose(attention, [s.attention for s in expected.segments], atol=0.02)
    assert len(timeline) == len(expected.segments)
    assert speech == (not expected.rejection_reason)


@pytest.mark.slow
def test_int8_is_smaller_and_near(tiny_config, tmp_path):
    torch.manual_seed(0)
    encoder = Whisper(256, 2, pooling="mean+sd").eval()
    checkpoint = untrained(tiny_config, encoder, cell="none")
    differences = {}
    for int8 in (False, True):
        path = tmp_path / f"{int8}.onnx"
        differences[int8] = onnx_file.export_onnx(checkpoint, path, int8=int8)
    assert differences[False] < differences[True] < 0.1
    sizes = [(tmp_path / f"{int8}.onnx").stat().st_size for int8 in (True, False)]
    assert sizes[0] < 0.6 * sizes[1]
