"""Provenance: what a result says of its data, settings and code."""

import json
import subprocess

from helpers import ROOT

import affekt
from affekt.config import Config
from affekt.corpora.corpus import Corpus
from affekt.provenance import provenance
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
    result = provenance(corpus(A, B).description(), config)
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
    assert provenance(corpus(A).description(), config)["versions"] == result["versions"]
