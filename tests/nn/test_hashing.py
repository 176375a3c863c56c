"""Hashes of encoders and weights files."""

import hashlib

import pytest
import torch

from affekt.config import Encoder
from affekt.errors import CheckpointError
from affekt.nn.encoders.hashing import embedding_key, encoder_id, file_hash
from affekt.nn.encoders.weights import build_encoder
from affekt.nn.encoders.whisper import Whisper


def whisper(pooling="mean+sd"):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Whisper(64, 1, pooling=pooling)


def test_the_key_changes_with_version_settings_and_weights():
    key = embedding_key(whisper())
    assert embedding_key(whisper()) == key
    assert embedding_key(whisper().train()) == embedding_key(whisper().eval())
    newer = whisper()
    newer.version = 2
    trained = whisper()
    with torch.no_grad():
        trained.conv1.bias[0] += 1e-6
    smoother, elsewhere = whisper(), whisper()
    smoother.architecture = {"layer_norm_eps": 1e-3}
    elsewhere.architecture = {"layer_norm_eps": 1e-3, "transformers_version": "5"}
    changed = (newer, whisper("mean"), trained, smoother)
    assert len({key, *map(embedding_key, changed)}) == 5
    assert embedding_key(elsewhere) == embedding_key(smoother)


def test_the_id_is_the_hash_of_names_and_values():
    encoder = whisper()
    content = b"".join(n.encode() + t.numpy().tobytes() for n, t in encoder.state_dict().items())
    assert encoder_id(encoder) == hashlib.sha256(content).hexdigest()[:16]
    assert encoder_id(whisper("mean")) == encoder_id(encoder)


def test_the_bundled_encoder_has_the_id_of_earlier_versions():
    assert encoder_id(build_encoder(Encoder())) == "f1788ff166bdd66e"


def test_files_are_hashed_one_after_another(tmp_path):
    (tmp_path / "a").write_bytes(b"12")
    (tmp_path / "b").write_bytes(b"3")
    assert file_hash(tmp_path / "a", tmp_path / "b") == hashlib.sha256(b"123").hexdigest()
    with pytest.raises(CheckpointError, match="c: cannot be opened: No such file"):
        file_hash(tmp_path / "c")
