"""A tiny corpus and a tiny encoder, both synthetic, so that every test runs anywhere.

Tests marked by the fixture `emodb` need real speech: $AFFEKT_CORPORA or ../shared/corpora.
"""

import csv
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from affekt.config import Config
from affekt.encoders.whisper import Whisper

torch.set_num_threads(1)
RATE = 16_000
PITCH = {"anger": 260.0, "sadness": 110.0, "neutral": 170.0}
SPEAKERS = ("s1", "s2", "s3", "s4", "s5", "s6")


def voice(label: str, speaker: str, take: int, seconds: float) -> np.ndarray:
    """A buzz whose pitch, wobble and level tell the class, and whose timbre the speaker."""
    rng = np.random.default_rng([SPEAKERS.index(speaker), take, len(label)])
    t = np.arange(int(seconds * RATE)) / RATE
    pitch = PITCH[label] * (1 + 0.04 * SPEAKERS.index(speaker))
    wobble = {"anger": 9.0, "sadness": 2.0, "neutral": 0.5}[label]
    phase = 2 * np.pi * pitch * (t + 0.02 * np.sin(2 * np.pi * wobble * t) / wobble)
    wave = sum(np.sin(k * phase) / k ** (1 + 0.1 * SPEAKERS.index(speaker)) for k in range(1, 12))
    return (0.1 * wave + 0.003 * rng.standard_normal(len(t))).astype(np.float32)


BAUM1S_CODES = {"anger": 1, "disgust": 6, "fear": 7, "happiness": 8, "sadness": 10, "surprise": 11}


def baum1s(root: Path) -> Path:
    """A folder like BAUM-1s: six speakers, one clip of each emotion; pitch tells the class."""
    import openpyxl

    root.mkdir(exist_ok=True)
    book = openpyxl.Workbook()
    for speaker in (1, 2, 3, 4, 6, 7):
        for take, (label, code) in enumerate(BAUM1S_CODES.items(), 1):
            clip = f"S{speaker:03d}_{take:03d}"
            book.active.append([speaker, clip, label, code])
            path = root / f"BAUM1s_MP4 - All/s{speaker:03d}/{clip}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            t = np.arange(int(16_000 * (1.0 + 0.2 * take))) / 16_000
            tone = np.sin(2 * np.pi * (100 + 40 * code) * (1 + speaker / 50) * t)
            soundfile.write(path, 0.1 * tone, 16_000)
    book.save(root / "Annotations_BAUM1s.xlsx")
    return root


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
            "stage1": {"epochs": 8, "head_rate": 5e-3},
            "stage2": {"epochs": 8, "hidden": 16, "rate": 5e-3},
            "protocol": {"folds": 3, "seeds": 1, "validation": 0.25},
        }
    )


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real corpora; skips where there is none."""
    folder = Path(os.environ.get("AFFEKT_CORPORA") or Path(__file__).parents[2] / "shared/corpora")
    if not folder.is_dir():
        pytest.skip("no real speech here: set AFFEKT_CORPORA")
    return folder


@pytest.fixture(scope="session")
def emodb(corpora: Path) -> Path:
    """EMO-DB; skips where it is absent."""
    if not (corpora / "emodb").is_dir():
        pytest.skip("EMO-DB is not here")
    return corpora / "emodb"
