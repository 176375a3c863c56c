import contextlib
import hashlib
import struct
import warnings

import numpy as np
import pytest
import torch
from helpers import ROOT
from numpy.lib.stride_tricks import sliding_window_view

from affekt.audio.decoding import read
from affekt.audio.level import rms_normalise
from affekt.config import Encoder
from affekt.errors import CheckpointError, DamagedFileWarning
from affekt.nn.encoders import weights
from affekt.nn.encoders.tf_checkpoint import read_tf_checkpoint
from affekt.nn.encoders.vggish import VGGish, patches

DATA = ROOT / "tests/data"
TINY = {
    "vggish/conv1/weights": (3, 3, 1, 2),
    "vggish/conv1/biases": (2,),
    "vggish/fc2/weights": (5, 3),
    "vggish/fc2/biases": (3,),
}


def official(folder, change=None, name=None):
    """A checkpoint in torchvggish's format: every tensor one number, so 72 M weights in 46 kB."""
    tensors = {
        key: torch.full((1,), 0.01 * (i + 1)).expand(value.shape)
        for i, (key, value) in enumerate(VGGish().state_dict().items())
    }
    if change:
        change(tensors)
    path = folder / "part"
    torch.save(tensors, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return path.rename(folder / (name or f"vggish-{digest[:8]}.pth"))


def load(path):
    return weights.build_encoder(Encoder(name="vggish", weights=str(path)))


def test_a_checkpoint_in_the_official_layout_is_loaded_and_named(tmp_path):
    path = official(tmp_path)
    encoder = load(path)
    assert path.name in encoder.origin
    assert "sha256" in encoder.origin
    for i, value in enumerate(encoder.state_dict().values()):
        assert torch.equal(value, torch.full_like(value, 0.01 * (i + 1)))


def test_a_random_start_says_so():
    assert weights.build_encoder(Encoder(name="vggish")).origin == "random start"


def test_the_distilled_weights_come_with_their_width_and_their_license():
    encoder = weights.build_encoder(Encoder(name="vggish", weights="distilled"))
    assert encoder.features[0].out_channels == 16
    assert encoder.origin.startswith(weights.DISTILLED.name)
    assert "non-commercial" in encoder.origin
    assert weights.build_encoder(Encoder(name="vggish", width=0.25)).origin == "random start"
    with pytest.raises(CheckpointError, match=r"encoder\.width = 0\.5.* leave encoder\.width out"):
        weights.build_encoder(Encoder(name="vggish", weights="distilled", width=0.5))


def test_distilled_embeddings_of_speech_differ_and_are_about_standardised():
    encoder = weights.build_encoder(Encoder(name="vggish", weights="distilled")).eval()
    wave = rms_normalise(read(ROOT / "demo/mixed.flac").wave)
    spans = torch.arange(0, len(wave) // 160 - 96, 48)[:, None] + torch.tensor([0, 96])
    with torch.inference_mode():
        embeddings = encoder([torch.from_numpy(wave)], [spans])
    assert 0.3 < embeddings.square().mean().sqrt() < 3
    assert embeddings.std(0).mean() > 0.1


def test_the_packaged_weights_stay_below_40_mb():
    files = weights.BUNDLED.parent.rglob("*.safetensors")
    assert sum(path.stat().st_size for path in files) < 40e6


class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))


@pytest.mark.parametrize(
    ("change", "name", "reason"),
    [
        (lambda t: t.update({"features.0.weight": torch.zeros(64, 1, 5, 5)}), None, "has shape"),
        (
            lambda t: t.pop("embeddings.4.bias"),
            None,
            "1 tensor missing, the first embeddings.4.bias",
        ),
        (lambda t: t.update(extra=torch.zeros(1)), None, "1 unknown tensor, the first extra"),
        (None, "vggish-10086976.pth", "its name says 10086976"),
        (lambda t: t.update(evil=Evil()), None, "not a VGGish checkpoint"),
    ],
)
def test_a_broken_checkpoint_is_refused_with_the_reason(tmp_path, change, name, reason, capsys):
    path = official(tmp_path, change, name)
    with pytest.raises(CheckpointError, match=reason) as caught:
        load(path)
    assert path.name in str(caught.value)
    assert "unpickled" not in capsys.readouterr().out


@pytest.mark.parametrize("suffix", [".pth", ".ckpt", ".bin"])
def test_a_truncated_or_foreign_file_is_refused(tmp_path, suffix):
    path = official(tmp_path, name="whole.pth")
    cut = tmp_path / f"cut{suffix}"
    cut.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(CheckpointError, match="not a VGGish checkpoint"):
        load(cut)
    with pytest.raises(CheckpointError, match="No such file"):
        load(tmp_path / f"absent{suffix}")


def test_a_tensorflow_checkpoint_is_read_without_tensorflow():
    tensors = read_tf_checkpoint(DATA / "tiny.ckpt", TINY)
    assert {name: tuple(t.shape) for name, t in tensors.items()} == TINY
    for tensor in tensors.values():
        expected = (torch.arange(tensor.numel()) % 251 / 251).reshape(tensor.shape)
        assert torch.equal(tensor, expected)


def test_a_damaged_tensorflow_checkpoint_raises_nothing_but_value_error(tmp_path):
    path = tmp_path / "damaged.ckpt"
    data = bytearray((DATA / "tiny.ckpt").read_bytes())
    for at in range(len(data)):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        path.write_bytes(damaged)
        with contextlib.suppress(ValueError):
            read_tf_checkpoint(path, TINY)
    path.write_bytes(data[:-1])
    with pytest.raises(ValueError, match="truncated"):
        read_tf_checkpoint(path, TINY)


def varint(value):
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + varint(rest) if rest else bytes([low])


def message(*fields):
    """A protocol buffer of byte strings and integers by number."""
    return b"".join(
        varint(number << 3) + varint(value)
        if isinstance(value, int)
        else varint(number << 3 | 2) + varint(len(value)) + value
        for number, value in fields
    )


def block(entries):
    rows = (b"\0" + varint(len(key)) + varint(len(value)) + key + value for key, value in entries)
    return b"".join(rows) + struct.pack("<II", 0, 1)


def checkpoint(variables):
    """A V1 checkpoint of a table: name: (shape, number of the values' field, values)."""
    meta = [
        (1, message((1, name), (2, message(*((2, message((1, n))) for n in shape)))))
        for name, (shape, _, _) in variables.items()
    ]
    entries = [(b"", message((1, message(*meta))))]
    for name, (_, number, values) in variables.items():
        entries.append((name, message((2, message((1, name), (3, message((number, values))))))))
    data = block(entries) + b"\0" * 5
    index = block([(b"z", varint(0) + varint(len(data) - 5))])
    handle = varint(len(data)) + varint(len(index))
    footer = (varint(0) + varint(0) + handle).ljust(40, b"\0")
    return data + index + b"\0" * 5 + footer + struct.pack("<Q", 0xDB4775248B80FB57)


def test_variables_that_nobody_wants_are_skipped(tmp_path):
    """A step counter of int64, a slot in float64, a slot in two slices."""
    path = tmp_path / "trained.ckpt"
    floats = np.arange(6, dtype="<f4")
    path.write_bytes(
        checkpoint(
            {
                b"beta1_power": ((), 6, np.float64(0.9).tobytes()),
                b"global_step": ((), 10, varint(7)),
                b"vggish/fc2/weights": ((2, 3), 5, floats.tobytes()),
                b"vggish/fc2/weights/Adam": ((2, 3), 5, floats[:3].tobytes()),
            }
        )
    )
    tensors = read_tf_checkpoint(path, ["vggish/fc2/weights"])
    assert {name: t.tolist() for name, t in tensors.items()} == {
        "vggish/fc2/weights": [[0, 1, 2], [3, 4, 5]]
    }
    with pytest.raises(ValueError, match="global_step: 0 values for shape"):
        read_tf_checkpoint(path, ["global_step"])


def nhwc_forward(variables, patch):
    """VGGish as in Google's slim code: NHWC, HWIO kernels, flatten in NHWC order."""
    x = patch[..., None]
    for name in ("conv1", "pool", "conv2", "pool", "conv3/conv3_1", "conv3/conv3_2", "pool",
                 "conv4/conv4_1", "conv4/conv4_2", "pool"):  # fmt: skip
        if name == "pool":
            height, width, channels = x.shape
            x = x.reshape(height // 2, 2, width // 2, 2, channels).max((1, 3))
            continue
        kernel, bias = (
            variables[f"vggish/{name}/{part}"].numpy() for part in ("weights", "biases")
        )
        around = sliding_window_view(np.pad(x, ((1, 1), (1, 1), (0, 0))), (3, 3), axis=(0, 1))
        x = np.maximum(np.tensordot(around, kernel, axes=([3, 4, 2], [0, 1, 2])) + bias, 0)
    x = x.reshape(-1)
    for name in ("fc1/fc1_1", "fc1/fc1_2", "fc2"):
        x = (
            x @ variables[f"vggish/{name}/weights"].numpy()
            + variables[f"vggish/{name}/biases"].numpy()
        )
        x = x if name == "fc2" else np.maximum(x, 0)
    return x


def test_googles_layout_is_converted_to_ours():
    shapes = {"conv1": (3, 3, 1, 64), "conv2": (3, 3, 64, 128), "conv3/conv3_1": (3, 3, 128, 256),
              "conv3/conv3_2": (3, 3, 256, 256), "conv4/conv4_1": (3, 3, 256, 512),
              "conv4/conv4_2": (3, 3, 512, 512), "fc1/fc1_1": (12288, 4096),
              "fc1/fc1_2": (4096, 4096), "fc2": (4096, 128)}  # fmt: skip
    draw = torch.Generator().manual_seed(0)
    variables = {}
    for name, shape in shapes.items():
        scale = (2 / np.prod(shape[:-1])) ** 0.5
        variables[f"vggish/{name}/weights"] = scale * torch.randn(shape, generator=draw)
        variables[f"vggish/{name}/biases"] = 0.1 * torch.randn(shape[-1], generator=draw)
    encoder = VGGish().eval()
    encoder.load_state_dict(weights._from_tensorflow(variables))
    wave = 0.1 * torch.randn(15_600, generator=draw)
    spans = torch.tensor([[0, 96]])
    with torch.inference_mode():
        ours = encoder([wave], [spans])[0].numpy()
    theirs = nhwc_forward(variables, patches(wave, spans)[0].numpy())
    assert np.abs(ours - theirs).max() < 1e-3 * np.abs(theirs).max()


def test_a_download_that_is_not_the_official_file_is_refused(tmp_path, monkeypatch):
    """A local file stands for the network; its hash does not begin as the official one's."""
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "VGGISH_URL", official(tmp_path).as_uri())
    with pytest.raises(CheckpointError, match="invalid hash"):
        weights.download()
    assert not list((tmp_path / "cache").glob("*"))


def test_a_damaged_download_in_the_cache_is_replaced_and_said(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path / "cache"))
    good = official(tmp_path)
    monkeypatch.setattr(weights, "VGGISH_URL", good.as_uri())
    monkeypatch.setattr(weights, "VGGISH_HASH", good.stem.removeprefix("vggish-"))
    monkeypatch.setattr(weights, "VGGISH_FILE", good.name)
    (tmp_path / "cache").mkdir()
    damaged = tmp_path / "cache" / good.name
    damaged.write_bytes(good.read_bytes()[:-1])
    with pytest.warns(DamagedFileWarning, match="damaged .* downloaded again"):
        encoder = weights.build_encoder(Encoder(name="vggish", weights="download"))
    assert encoder.origin.startswith(good.name)
    assert damaged.read_bytes() == good.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert weights.download() == damaged


def test_whisper_weights_are_cut_after_the_layer(tiny_weights):
    one = weights.build_encoder(Encoder(weights=str(tiny_weights), layer=1))
    two = weights.build_encoder(Encoder(weights=str(tiny_weights), layer=2))
    assert (len(one.layers), len(two.layers)) == (1, 2)
    assert "cut after layer 1" in one.origin
    shared = one.state_dict()
    assert all(torch.equal(two.state_dict()[name], value) for name, value in shared.items())


def test_whisper_weights_that_do_not_fit_are_refused(tiny_weights, tmp_path):
    with pytest.raises(CheckpointError, match=r"has 2 layers, but encoder\.layer = 3"):
        weights.build_encoder(Encoder(weights=str(tiny_weights), layer=3))
    (tmp_path / "no.safetensors").write_bytes(tiny_weights.read_bytes()[:999])
    with pytest.raises(CheckpointError, match="not a Whisper encoder"):
        weights.build_encoder(Encoder(weights=str(tmp_path / "no.safetensors"), layer=1))


@pytest.mark.parametrize("name", ["whisper", "whisper+campplus"])
def test_the_packaged_tensors_are_those_of_the_encoder(name):
    config = Encoder(name=name, layer=2)
    built, read_only = weights.build_encoder(config).state_dict(), weights.packaged_tensors(config)
    assert built.keys() == read_only.keys()
    assert all(torch.equal(built[key], tensor) for key, tensor in read_only.items())
