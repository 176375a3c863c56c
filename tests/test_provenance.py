"""Provenance: what a result says of its data, settings and code."""

import json
import os
import subprocess

import pytest
from helpers import ROOT

import affekt
from affekt import AffektError
from affekt.config import Config
from affekt.corpora.corpus import Corpus
from affekt.own_parts import hash_instance, hash_sources
from affekt.provenance import code_hash, identity, provenance, weights_hashes
from affekt.run_manifest import differences
from affekt.types import Example


def corpus(*examples):
    return Corpus("mine", examples, "free")


A = Example("a", "/x/a.wav", "anger", "s1")
B = Example("b", "/x/b.wav", "joy", "s2", split="test")


def test_a_corpus_describes_itself():
    described = corpus(B, A).description()
    digest = described.pop("digest")
    assert described == {
        "name": "mine",
        "clips": 2,
        "speakers": 2,
        "labels": {"anger": 1, "joy": 1},
        "terms": "free",
    }
    assert digest == corpus(A, B).digest() == "64308e8b57fa97c1"
    assert digest != corpus(A).digest()


def test_paths_stay_at_home_and_the_commit_is_this_checkouts(monkeypatch):
    config = Config.model_validate(
        {"encoder": {"weights": "/home/me/w.pt"}, "baselines": {"alexnet": "/home/me/a.pth"}}
    )
    result = provenance(corpus(A, B), config, corpus(A, B).audio_hashes())
    assert "/home/me" not in json.dumps(result)
    assert result["config"]["encoder"]["weights"] == "w.pt"
    assert result["config"]["baselines"]["alexnet"] == "a.pth"
    git = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(git, capture_output=True, text=True).stdout.strip()
    assert result["versions"]["affekt"] == affekt.__version__
    assert result["versions"]["commit"].startswith(commit)

    def no_git(*_, **__):
        raise AssertionError("git is asked once per process")

    monkeypatch.setattr(subprocess, "run", no_git)
    again = provenance(corpus(A), config, {"a": ""})
    assert again["versions"] == result["versions"]


def test_content_decides_and_not_name_size_or_time(tmp_path):
    audio = tmp_path / "a.wav"
    audio.write_bytes(b"1234")
    stat, example = audio.stat(), Example("a", str(audio), "anger", "s1")
    part = Example("a#t=1", str(audio), "joy", "s1", start=1.0)  # of the same file

    def of(config=Config(), system=""):
        own = corpus(example, part)
        return identity(own, config, own.audio_hashes(), system)

    before = of()
    assert before["recordings"] == {"a": "03ac674216f3e15c"}
    assert "commit" not in before["versions"]
    assert of() == before
    audio.write_bytes(b"4321")
    os.utime(audio, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert differences(before, of()) == ["audio changed: 1 of 1 recording, the first a"]
    audio.unlink()
    assert of()["recordings"] == {"a": ""}

    (tmp_path / "w.pt").write_bytes(b"1")
    (tmp_path / "ssl").mkdir()
    (tmp_path / "ssl/config.json").write_text("{}")
    (tmp_path / "ssl/w.bin").write_bytes(b"1")
    configs = [
        Config.model_validate({"encoder": {"weights": str(tmp_path / "w.pt")}}),
        Config.model_validate({"encoder": {"name": "ssl", "weights": str(tmp_path / "ssl")}}),
        Config.model_validate({"baselines": {"resnet": str(tmp_path / "w.pt")}}),
    ]
    states = [of(config) for config in configs]
    for path in (tmp_path / "w.pt", tmp_path / "ssl/w.bin"):
        path.write_bytes(b"2")
    changed = [differences(one, of(config)) for one, config in zip(states, configs, strict=True)]
    assert changed == [
        [f"the content of {key} changed"]
        for key in ("encoder.weights", "encoder.weights", "baselines.resnet")
    ]
    assert weights_hashes(Config()).keys() == {"encoder.weights"}  # the bundled file
    distilled = Config.model_validate({"encoder": {"name": "vggish", "weights": "distilled"}})
    assert weights_hashes(distilled).keys() == {"encoder.weights"}
    beside = Config.model_validate({"encoder": {"name": "whisper+campplus"}})
    assert weights_hashes(beside).keys() == {"encoder.weights", "encoder.voices"}
    for name in ("random", "download"):
        config = Config.model_validate({"encoder": {"name": "vggish", "weights": name}})
        assert weights_hashes(config) == {}


def test_the_users_code_is_hashed_with_what_it_imports_nearby(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_net.py").write_text("import own_helper\n\n\nclass Net: ...\n")
    (tmp_path / "own_old.py").write_text("print 1\n")
    helper = "def f():\n    import own_old\n    from own_pack.inner import x\n"
    (tmp_path / "own_helper.py").write_text(helper)
    (tmp_path / "own_pack").mkdir()
    for name in ("__init__", "inner", "other"):
        (tmp_path / f"own_pack/{name}.py").write_text("x = 1\nclass Part: ...\n")
    (tmp_path / "unrelated.py").write_text("")
    hashes = [hash_sources("own_net:Net", "system"), hash_sources("own_pack.inner:Part", "system")]
    (tmp_path / "unrelated.py").write_text("x = 1")
    assert hash_sources("own_net:Net", "system") == hashes[0]
    (tmp_path / "own_pack/other.py").write_text("x = 2\n")
    assert hash_sources("own_net:Net", "system") != hashes[0]
    assert hash_sources("own_pack.inner:Part", "system") != hashes[1]
    assert hash_instance({"C": 1}) == hash_instance({"C": 1}) != hash_instance({"C": 2})
    assert hash_instance(lambda: 0) != hash_instance(lambda: 0)


def test_code_that_changes_while_it_runs_is_refused(monkeypatch, tmp_path):
    code_hash()
    monkeypatch.setattr("affekt.provenance.PACKAGE", tmp_path)
    (tmp_path / "new.py").write_text("")
    with pytest.raises(AffektError, match="changed while this process was running"):
        code_hash()
