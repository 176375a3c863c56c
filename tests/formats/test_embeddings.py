"""Embeddings in a Parquet file are those of the recognizer, and errors are per file."""

import numpy as np
import pyarrow.parquet as pq
import pytest
from helpers import DEMO, affekt

from affekt import AffektError, load
from affekt.formats.embeddings import write_embeddings
from affekt.inference.embedding import embedding
from affekt.inference.inputs import read_input


@pytest.fixture(scope="module")
def recognizer():
    return load()


def encoded(recognizer, file):
    return recognizer.encode([read_input(file)])[0]


def test_a_row_for_each_segment(recognizer, tmp_path):
    out = tmp_path / "a.parquet"
    assert write_embeddings(recognizer, DEMO[:2], out) == []
    table = pq.read_table(out)
    assert table.schema.names == ["file", "start", "end", "embedding"]
    assert str(table.schema.field("embedding").type) == "list<element: float>"
    assert table.schema.metadata[b"affekt_model"] == b"default"
    rows = [row for row in table.to_pylist() if row["file"] == str(DEMO[0])]
    expected = embedding(encoded(recognizer, DEMO[0]))
    assert np.allclose([row["embedding"] for row in rows], expected, atol=0.05)
    assert (rows[0]["start"], rows[0]["end"]) == (0.0, 0.96)
    assert rows[1]["start"] == 0.48


def test_a_row_for_each_recording_is_the_mean_of_its_segments(recognizer, tmp_path):
    out = tmp_path / "a.parquet"
    write_embeddings(recognizer, DEMO, out, "clip")
    rows = pq.read_table(out).to_pylist()
    assert [row["file"] for row in rows] == [str(file) for file in DEMO]
    recording = encoded(recognizer, DEMO[1])
    assert rows[1]["end"] == pytest.approx(recording.seconds)
    mean = embedding(recording).mean(0)
    assert np.allclose(embedding(recording, "clip"), mean, atol=1e-4)
    assert np.allclose(rows[1]["embedding"], mean, atol=0.05)


def test_an_unknown_level_and_a_wrong_file_are_refused(recognizer, tmp_path):
    with pytest.raises(ValueError, match="choose 'segment' or 'clip'"):
        embedding(encoded(recognizer, DEMO[0]), "utterance")
    with pytest.raises(AffektError, match="written as .parquet"):
        write_embeddings(recognizer, DEMO, tmp_path / "a.npz")
    with pytest.raises(AffektError, match="at least one file"):
        write_embeddings(recognizer, [], tmp_path / "a.parquet")
    with pytest.raises(AffektError, match="none of 1 recording can be read"):
        write_embeddings(recognizer, [tmp_path / "no.wav"], tmp_path / "a.parquet")
    assert not list(tmp_path.iterdir())


def test_the_command_skips_files_that_cannot_be_read(tmp_path):
    out = tmp_path / "a.parquet"
    done = affekt("embed", DEMO[0], tmp_path / "no.wav", "--out", out, "--level", "clip")
    assert done.returncode == 2
    assert "no.wav" in done.stderr
    assert "level clip, 1 recording\n" in done.stderr
    assert pq.read_table(out).num_rows == 1
    again = affekt("embed", DEMO[0], "--out", out)
    assert again.returncode == 2
    assert "exists" in again.stderr
