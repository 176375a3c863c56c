"""``affekt data``: planted faults are found, downloads are resumed and checked."""

import csv
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import soundfile
from helpers import RATE, affekt, voice

from affekt import CorpusError
from affekt.corpora.download import get
from affekt.corpora.published import Download
from affekt.corpora.registry import load_corpus
from affekt.corpora.splits import one_class_speakers
from affekt.evaluation.audit.corpus_check import check

LABELS = ("anger", "neutral", "sadness")


def corpus(folder, seconds=lambda label: 1.3, gain=lambda label: 1.0, speaks=lambda s, label: True):
    """Clips of four speakers, and a manifest; what is planted depends on the label."""
    rows = []
    for speaker in ("s1", "s2", "s3", "s4"):
        for label in LABELS:
            for take in range(3):
                if speaks(speaker, label):
                    name = f"{speaker}_{label}_{take}.wav"
                    wave = voice(label, speaker, take, seconds(label)) * gain(label)
                    soundfile.write(folder / name, wave, RATE, subtype="FLOAT")
                    rows.append([name, label, speaker])
    with (folder / "m.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["path", "label", "speaker"], *rows])
    return load_corpus(str(folder / "m.csv"))


def test_an_ordinary_corpus_has_nothing_serious(tmp_path):
    found = check(corpus(tmp_path))
    assert found.serious == []
    assert found.rates == {RATE: 36}
    assert found.duplicates == []
    assert len(found.seconds) == 36


@pytest.mark.parametrize(
    ("planted", "what"),
    [
        ({"seconds": lambda label: 1.0 + LABELS.index(label)}, "the length of a clip"),
        ({"gain": lambda label: 0.1 ** LABELS.index(label)}, "the level of a clip"),
        ({"speaks": lambda s, label: (int(s[1]) - 1) % 3 == LABELS.index(label)}, "the speaker"),
    ],
)
def test_a_label_told_by_something_else_is_found(planted, what, tmp_path):
    found = check(corpus(tmp_path, **planted))
    assert any(sentence.startswith(f"{what} alone tells the class") for sentence in found.serious)
    assert (len(one_class_speakers(found.corpus.examples)) == 4) == (what == "the speaker")


def test_broken_double_and_odd_clips_are_found(tmp_path):
    loaded = corpus(tmp_path)
    (tmp_path / "s1_anger_0.wav").write_bytes(b"no sound")
    double = (tmp_path / "s1_neutral_0.wav").read_bytes()
    (tmp_path / "s2_anger_0.wav").write_bytes(double)  # the same sound, another label
    soundfile.write(tmp_path / "s1_anger_1.wav", np.zeros(8_000), 8_000)
    found = check(loaded)
    assert list(found.unreadable) == ["s1_anger_0.wav"]
    assert found.duplicates == [["s1_neutral_0.wav", "s2_anger_0.wav"]]
    assert found.warnings["silent"] == ["s1_anger_1.wav"]
    assert found.rates == {8_000: 1, RATE: 34}
    assert found.serious == [
        "1 clips cannot be read",
        "1 recordings stand under two labels or speakers",
    ]


def test_a_part_of_a_published_corpus_is_no_whole(tmp_path):
    for stem in ("03a01Wa", "08b02Na"):
        soundfile.write(tmp_path / f"{stem}.wav", voice("anger", "s1", 0, 1.3), RATE)
    found = check(load_corpus(f"emodb:{tmp_path}"))
    assert ("anger", 1, 127) in found.official
    assert len(found.official) == 7


def test_the_command_says_what_it_found_and_exits_1(tmp_path):
    corpus(tmp_path, seconds=lambda label: 1.0 + LABELS.index(label))
    done = affekt("data", "check", tmp_path / "m.csv")
    assert done.returncode == 1
    assert "36 clips, 4 speakers" in done.stdout
    assert "serious: the length of a clip alone tells the class" in done.stdout


def test_the_list_and_what_cannot_be_fetched():
    done = affekt("data", "list")
    assert "baum1s" in done.stdout
    assert "https://zenodo.org/records/1188976" in done.stdout
    done = affekt("data", "get", "iemocap")
    assert done.returncode == 2
    assert "https://sail.usc.edu/iemocap/" in done.stderr
    assert affekt("data", "get", "nothing").returncode == 2


CONTENT = bytes(range(256)) * 9000


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; the first answer breaks off after a third."""

    broken = False

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.server.starts.append(start)
        end = len(CONTENT) // 3 if not Server.broken else None
        Server.broken = True
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Server.broken = False
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        http.starts = []
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


def test_a_broken_download_goes_on_where_it_ended(server, tmp_path):
    url = f"http://127.0.0.1:{server.server_port}/corpus.zip"
    good = Download(url, hashlib.md5(CONTENT).hexdigest())
    with pytest.raises(CorpusError, match="768000 bytes were saved"):
        get(good, tmp_path)
    path = get(good, tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.starts == [0, 768_000]
    with pytest.raises(CorpusError, match="exists already"):
        get(good, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["corpus.zip"]


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    Server.broken = True
    wrong = Download(f"http://127.0.0.1:{server.server_port}/corpus.zip", "0" * 32)
    with pytest.raises(CorpusError, match="the owner states 000"):
        get(wrong, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_server_is_told(tmp_path):
    with pytest.raises(CorpusError, match="run the command again"):
        get(Download("http://127.0.0.1:9/corpus.zip"), tmp_path)
