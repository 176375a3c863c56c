"""Recordings inside Parquet tables, as datasets of Hugging Face have them, and at URLs."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import soundfile

from affekt import CorpusError
from affekt.corpora.registry import load_corpus
from affekt.training.clips import load_clips

NAMES = ["joy", "sorrow"]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AFFEKT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache/audio"


@pytest.fixture
def wavs(tmp_path):
    """Bytes of four files that differ."""
    found = []
    for number in range(4):
        path = tmp_path / f"{number}.wav"
        soundfile.write(path, np.arange(16000) / 16000 / (number + 2), 16000, "FLOAT")
        found.append(path.read_bytes())
    return found


def dataset(
    path,
    wavs,
    names=("a.wav", "a.wav", None, "x/d.wav"),
    labels=(0, 1, 1, 0),
    speakers=("s1", "s1", "s2", "s2"),
):
    """A Parquet file as ``datasets`` writes it."""
    table = pa.table({
        "path": [f"/home/creator/{i}.wav" for i in range(len(wavs))],
        "audio": [{"bytes": wav, "path": n} for wav, n in zip(wavs, names, strict=True)],
        "label": pa.array(labels, pa.int64()),
        "speaker_id": speakers,
    })  # fmt: skip
    features = {"label": {"names": NAMES, "_type": "ClassLabel"}, "audio": {"_type": "Audio"}}
    described = json.dumps({"info": {"features": features}}).encode()
    pq.write_table(table.replace_schema_metadata({b"huggingface": described}), path)
    return path


def test_recordings_and_class_names_of_a_parquet_file(tmp_path, wavs, cache):
    corpus = load_corpus(dataset(tmp_path / "train.parquet", wavs))
    assert [(e.id, e.label, e.speaker) for e in corpus.examples] == [
        ("1-a.wav", "joy", "s1"),
        ("2-a.wav", "sorrow", "s1"),
        ("3", "sorrow", "s2"),
        ("4-d.wav", "joy", "s2"),
    ]
    waves = [clip.recording.wave for clip in load_clips(corpus.examples)]
    assert [float(w[-1]) for w in waves] == pytest.approx([1 / n for n in (2, 3, 4, 5)], rel=1e-3)
    files = {p: p.stat().st_mtime_ns for p in cache.rglob("*") if p.is_file()}
    assert len(files) == 4
    load_corpus(tmp_path / "train.parquet")
    assert files == {p: p.stat().st_mtime_ns for p in cache.rglob("*") if p.is_file()}


def test_shards_of_a_repository(tmp_path, wavs):
    (tmp_path / "repo/data").mkdir(parents=True)
    (tmp_path / "repo/README.md").write_text("A corpus.")
    for name, part in (("train-00000-of-00002", wavs[:1]), ("train-00001-of-00002", wavs[1:3]),
                       ("test-00000-of-00001", wavs[3:])):  # fmt: skip
        n = len(part)
        path = tmp_path / f"repo/data/{name}.parquet"
        dataset(path, part, ["a.wav"] * n, [0, 1][:n], ["s1", "s2"][:n])
    corpus = load_corpus(tmp_path / "repo")
    assert [(e.id, e.split, e.speaker) for e in corpus.examples] == [
        ("test-00000-of-00001/1-a.wav", "test", "s1"),
        ("train-00000-of-00002/1-a.wav", "train", "s1"),
        ("train-00001-of-00002/1-a.wav", "train", "s1"),
        ("train-00001-of-00002/2-a.wav", "train", "s2"),
    ]


def test_a_class_without_a_number_is_a_missing_label(tmp_path, wavs):
    path = dataset(tmp_path / "test.parquet", wavs, labels=(0, -1, 1, 0))
    with pytest.raises(CorpusError, match="line 2: label is empty"):
        load_corpus(path)


def test_a_class_that_has_no_name_is_refused(tmp_path, wavs):
    path = dataset(tmp_path / "test.parquet", wavs, labels=(0, 1, 2, 0))
    with pytest.raises(CorpusError, match="line 3: class 2, but 2 classes have names"):
        load_corpus(path)


def manifest(folder, paths):
    rows = [f"{path},{NAMES[i % 2]},s{i}" for i, path in enumerate(paths)]
    (folder / "m.csv").write_text("\n".join(["path,label,speaker", *rows]) + "\n")
    return folder / "m.csv"


def test_a_url_is_fetched_once_and_again_when_it_changes(tmp_path, wavs, cache):
    memory = fsspec.filesystem("memory")
    for name, wav in zip("ab", wavs, strict=False):
        memory.pipe(f"/corpus/{name}.wav", wav)
    table = manifest(tmp_path, ["memory://corpus/a.wav", "memory://corpus/b.wav"])
    first = load_corpus(table).examples
    assert [e.id for e in first] == ["memory://corpus/a.wav", "memory://corpus/b.wav"]
    assert load_corpus(table).examples == first
    memory.pipe("/corpus/b.wav", wavs[2])
    second = load_corpus(table).examples
    assert second[0] == first[0]
    last = load_clips(second)[1].recording.wave[-1]
    assert float(last) == pytest.approx(1 / 4, rel=1e-3)
    assert len([p for p in cache.rglob("*") if p.is_file()]) == 3


def test_a_web_server_and_a_file_that_it_lacks(tmp_path, wavs):
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    root = f"http://127.0.0.1:{server.server_port}"
    try:
        examples = load_corpus(manifest(tmp_path, [f"{root}/0.wav", "1.wav"])).examples
        assert [e.file for e in examples] == [f"{root}/0.wav", "1.wav"]
        assert len(load_clips(examples)) == 2
        absent = manifest(tmp_path, [f"{root}/0.wav", f"{root}/none.wav"])
        with pytest.raises(CorpusError, match=r"cannot fetch 1 of 2 recordings.+none\.wav"):
            load_corpus(absent)
    finally:
        server.shutdown()
