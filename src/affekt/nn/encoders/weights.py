"""Pre-trained weights of encoders: downloaded, checked and loaded without unpickling.

Without a file the weights are random, and `SegmentEncoder.origin` says so.
"""

import os
import pickle
import re
import warnings
from collections.abc import Mapping
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from ...config import DISTILLED_LICENSE, DISTILLED_WIDTH
from ...config import Encoder as EncoderConfig
from ...errors import CheckpointError, DamagedFileWarning
from ...own_parts import is_dotted_path
from ...plural import counted
from .campplus import WEIGHTS as VOICES
from .concatenated import Concatenated
from .hashing import file_hash
from .own import own_encoder
from .protocol import SegmentEncoder
from .ssl import load_ssl
from .tf_checkpoint import read_tf_checkpoint
from .vggish import VGGish
from .voice_frames import VoiceFrames
from .whisper import Whisper

BUNDLED = Path(str(resources.files("affekt") / "models/whisper-base.safetensors"))
LAYERS = 3  # of the bundled encoder
DISTILLED = BUNDLED.with_name("vggish-distilled.safetensors")
VGGISH_HASH = "10086976"  # start of the file's sha256
VGGISH_FILE = f"vggish-{VGGISH_HASH}.pth"
VGGISH_URL = f"https://github.com/harritaylor/torchvggish/releases/download/v0.1/{VGGISH_FILE}"
LAYERS_OF_VGGISH = {  # Google's names of the layers
    "features.0": "conv1", "features.3": "conv2", "features.6": "conv3/conv3_1",
    "features.8": "conv3/conv3_2", "features.11": "conv4/conv4_1", "features.13": "conv4/conv4_2",
    "embeddings.0": "fc1/fc1_1", "embeddings.2": "fc1/fc1_2", "embeddings.4": "fc2",
}  # fmt: skip
TENSORFLOW = {  # name of each tensor in Google's checkpoint
    f"{ours}.{kind}": f"vggish/{theirs}/{variable}"
    for ours, theirs in LAYERS_OF_VGGISH.items()
    for kind, variable in (("weight", "weights"), ("bias", "biases"))
}


def build_encoder(config: EncoderConfig) -> SegmentEncoder:
    """Build the encoder of a config, with its weights.

    Raises:
        CheckpointError: The weights file is missing, damaged or of another network.
    """
    encoder: SegmentEncoder
    if config.name == "vggish":
        encoder = empty_vggish(config)
        if config.weights == "distilled":
            _load_distilled(encoder, config.vggish_width)
        elif config.weights not in (None, "random"):
            _load_vggish(encoder, download() if config.weights == "download" else config.weights)
        return encoder
    if is_dotted_path(config.name):
        encoder = own_encoder(config)
        if config.weights not in (None, "random"):
            _load_own(encoder, Path(config.weights))
        return encoder
    if config.name == "ssl":
        return load_ssl(config.weights, layer=config.layer, pooling=config.pooling, mix=config.mix)
    if config.name == "whisper+campplus":
        whisper = build_encoder(config.model_copy(update={"name": "whisper"}))
        return Concatenated([whisper, VoiceFrames()])
    if config.weights == "random":
        return Whisper(512, config.layer, pooling=config.pooling)
    return _load_whisper(Path(config.weights) if config.weights else BUNDLED, config)


def empty_vggish(config: EncoderConfig) -> VGGish:
    """Build the VGGish of a config without its weights."""
    return VGGish(width=config.vggish_width, padding=config.padding, final_relu=config.final_relu)


def packaged_hash(config: EncoderConfig) -> str:
    """Hash of the bundled weights that an encoder has: 16 hexadecimal digits."""
    voices = (VOICES,) if config.name == "whisper+campplus" else ()
    return file_hash(BUNDLED, *voices)[:16]


def packaged_tensors(config: EncoderConfig) -> dict[str, Tensor]:
    """Tensors of the bundled encoder "whisper" or "whisper+campplus", cut after the config's layer.

    They are those of `build_encoder`, which would first draw random ones.
    """
    stored = load_file(BUNDLED)
    whisper = {name: t.float() for name, t in stored.items() if _below(name, config.layer)}
    if config.name == "whisper":
        return whisper
    first = {f"encoders.0.{name}": tensor for name, tensor in whisper.items()}
    return first | {f"encoders.1.{name}": t for name, t in VoiceFrames().state_dict().items()}


def download() -> Path:
    """Download Google's VGGish weights as torchvggish publishes them (288 MB), and verify them.

    Returns:
        Their path in `cache_folder`. A file that is there already is not downloaded again, unless
        it is damaged; a `DamagedFileWarning` then says so.

    Raises:
        CheckpointError: The download failed.
    """
    path = cache_folder() / VGGISH_FILE
    if path.exists():
        if file_hash(path).startswith(VGGISH_HASH):
            return path
        text = f"{path}: damaged (its sha256 is another one); it is downloaded again"
        warnings.warn(text, DamagedFileWarning, stacklevel=2)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(VGGISH_URL, str(path), hash_prefix=VGGISH_HASH)
    except (OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{VGGISH_URL}: {error}; download it elsewhere and pass --encoder.weights FILE"
        ) from error
    return path


def cache_folder() -> Path:
    """Folder of downloads and caches: ``$AFFEKT_CACHE``, or ``~/.cache/affekt``."""
    return Path(os.environ.get("AFFEKT_CACHE") or Path.home() / ".cache" / "affekt")


def _load_whisper(path: Path, config: EncoderConfig) -> Whisper:
    """Load a Whisper encoder from a file with all of its layers or the first ones."""
    digest = file_hash(path)
    try:
        with safe_open(path, framework="pt") as file:
            names = list(file.keys())
            own = {name: file.get_tensor(name) for name in names if _below(name, config.layer)}
        d_model = len(own["conv1.bias"])
        layers = 1 + max(int(n.split(".")[1]) for n in names if n.startswith("layers."))
    except (SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{path}: not a Whisper encoder in safetensors ({error})") from error
    if config.layer > layers:
        raise CheckpointError(
            f"{path}: has {counted(layers, 'layer')}, but encoder.layer = {config.layer}"
        )
    encoder = Whisper(d_model, config.layer, pooling=config.pooling)
    _fill(encoder, own, path)
    name = path.name if config.weights else "Whisper base, out of the package"
    encoder.origin = f"{name} (sha256 {digest[:12]}), cut after layer {config.layer}"
    return encoder


def _below(name: str, layer: int) -> bool:
    """Whether a tensor of a Whisper encoder is needed for the output of a layer."""
    block = re.match(r"layers\.(\d+)\.", name)
    return int(block[1]) < layer if block else name.startswith(("conv1.", "conv2.", "embed_pos"))


def _load_vggish(encoder: SegmentEncoder, weights: str | Path) -> None:
    path = Path(weights)
    digest = file_hash(path)
    named = re.search(r"-([0-9a-f]{8,64})\.pth$", path.name)
    if named and not digest.startswith(named[1]):
        raise CheckpointError(
            f"{path}: sha256 is {digest[:8]}..., its name says {named[1]}; download it again"
        )
    try:
        if path.suffix == ".pth":
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        else:
            tensors = _from_tensorflow(read_tf_checkpoint(path, TENSORFLOW.values()))
    except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).split("\n")[0]
        raise CheckpointError(f"{path}: not a VGGish checkpoint, or damaged ({reason})") from error
    _fill(encoder, tensors, path)
    encoder.origin = f"{path.name} (sha256 {digest[:12]})"


def _load_distilled(encoder: SegmentEncoder, width: float) -> None:
    if width != DISTILLED_WIDTH:
        raise CheckpointError(
            f"encoder.width = {width}, but the distilled weights are of width {DISTILLED_WIDTH}; "
            "leave encoder.width out"
        )
    _load_own(encoder, DISTILLED)
    encoder.origin = f"{encoder.origin}, distilled from Whisper base; {DISTILLED_LICENSE}"


def _load_own(encoder: SegmentEncoder, path: Path) -> None:
    digest = file_hash(path)
    try:
        tensors = load_file(path)
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a safetensors file ({error})") from error
    _fill(encoder, tensors, path)
    encoder.origin = f"{path.name} (sha256 {digest[:12]})"


def _from_tensorflow(variables: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Convert Google's names and layouts to ours: HWIO to OIHW, (in, out) to (out, in)."""
    orders = {1: (0,), 2: (1, 0), 4: (3, 2, 0, 1)}  # by number of axes
    tensors = {ours: variables[theirs] for ours, theirs in TENSORFLOW.items()}
    return {name: tensor.permute(orders[tensor.ndim]) for name, tensor in tensors.items()}


def _fill(encoder: nn.Module, tensors: object, path: Path) -> None:
    """Copy tensors into the encoder.

    Raises:
        CheckpointError: A tensor is missing, unknown or of another shape.
    """
    own = encoder.state_dict()
    if not isinstance(tensors, Mapping) or not all(isinstance(t, Tensor) for t in tensors.values()):
        raise CheckpointError(f"{path}: does not contain a dictionary of tensors")
    if missing := sorted(own.keys() - tensors.keys()):
        number = counted(len(missing), "tensor")
        raise CheckpointError(f"{path}: {number} missing, the first {missing[0]}")
    if unknown := sorted(tensors.keys() - own.keys()):
        number = counted(len(unknown), "unknown tensor")
        raise CheckpointError(f"{path}: {number}, the first {unknown[0]}")
    for name, tensor in own.items():
        if tensors[name].shape != tensor.shape:
            got, expected = tuple(tensors[name].shape), tuple(tensor.shape)
            raise CheckpointError(f"{path}: {name} has shape {got}, not {expected}")
    encoder.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
