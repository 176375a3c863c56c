"""A tiny corpus and a tiny encoder, both synthetic, so that every test runs anywhere.

Tests marked by the fixture `emodb` need real speech: $AFFEKT_CORPORA or ../shared/corpora.
"""

import csv
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from filelock import FileLock
from helpers import COMMANDS, EXPORT, PITCH, RATE, ROOT, SPEAKERS, voice
from safetensors.torch import save_file

from affekt.config import Config
from affekt.nn.encoders.whisper import Whisper

torch.set_num_threads(1)
# A shell starts background commands with SIGINT ignored; tests of Ctrl-C need it.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def manifest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six speakers, three classes, four clips of each; durations are unrelated to the class."""
    folder = tmp_path_factory.mktemp("corpus")
    rng = np.random.default_rng(0)
    with (folder / "manifest.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "speaker", "gender"])
        for speaker in SPEAKERS:
            for label in PITCH:
                for take in range(4):
                    name = f"{speaker}_{label}_{take}.wav"
                    wave = voice(label, speaker, take, rng.uniform(0.7, 2.6))
                    soundfile.write(folder / name, wave, RATE)
                    table.writerow([name, label, speaker, "fm"[SPEAKERS.index(speaker) % 2]])
    return folder / "manifest.csv"


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Whisper encoder of 64 dimensions and 2 layers, in the format of the real ones."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = Whisper(64, 2, pooling="mean+sd")
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    sizes = {"heads": "1", "layers": "2", "d_model": "64", "format": "pt"}
    save_file({k: v.half() for k, v in encoder.state_dict().items()}, path, sizes)
    return path


@pytest.fixture(scope="session")
def tiny_config(tiny_weights: Path) -> Config:
    """Settings under which a training takes about a second."""
    return Config.model_validate(
        {
            "encoder": {"weights": str(tiny_weights), "layer": 2},
            "augment": {"speeds": []},
            "stage1": {"epochs": 8, "head_learning_rate": 5e-3},
            "stage2": {"epochs": 8, "hidden": 16, "learning_rate": 5e-3},
            "protocol": {"folds": 3, "seeds": 1, "validation": 0.25},
        }
    )


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run of the tests, the same for all workers."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session", autouse=True)
def own_cache(shared_folder: Path) -> None:
    """Embeddings are cached for this run alone, not in the home folder."""
    os.environ["AFFEKT_CACHE"] = str(shared_folder / "cache")


@pytest.fixture(scope="session")
def exported_default(shared_folder: Path) -> Path:
    """The file that the command `EXPORT` writes, once for all workers: it takes a minute."""
    path = shared_folder / "default.onnx"
    with FileLock(shared_folder / "default.lock"):
        if not path.exists():
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            done = COMMANDS.run(EXPORT.split()[1:], shared_folder, environment, timeout=1200)
            assert done.returncode == 0, done.stdout + done.stderr
    return path


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora; skips where there is none."""
    folder = Path(os.environ.get("AFFEKT_CORPORA") or ROOT.parent / "shared/corpora")
    if not folder.is_dir():
        pytest.skip("no real speech here: set AFFEKT_CORPORA")
    return folder


@pytest.fixture(scope="session")
def emodb(corpora: Path) -> Path:
    """EMO-DB; skips where it is absent."""
    if not (corpora / "emodb").is_dir():
        pytest.skip("EMO-DB is not here")
    return corpora / "emodb"
