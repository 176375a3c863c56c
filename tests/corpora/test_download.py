"""Downloads are resumed and their checksums verified."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from affekt import CorpusError
from affekt.corpora.download import get
from affekt.corpora.published import Download
from affekt.errors import DamagedFileWarning

CONTENT = bytes(range(256)) * 9000


class Server(BaseHTTPRequestHandler):
    """Serves CONTENT; the first answer ends after a third."""

    interrupted = False

    def do_GET(self):
        start = int(self.headers.get("Range", "bytes=0-")[6:-1])
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.server.starts.append(start)
        end = len(CONTENT) // 3 if not Server.interrupted else None
        Server.interrupted = True
        self.wfile.write(CONTENT[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    Server.interrupted = False
    with ThreadingHTTPServer(("127.0.0.1", 0), Server) as http:
        http.starts = []
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield http
        http.shutdown()


def test_an_interrupted_download_is_resumed(server, tmp_path):
    url = f"http://127.0.0.1:{server.server_port}/corpus.zip"
    good = Download(url, hashlib.md5(CONTENT).hexdigest())
    with pytest.raises(CorpusError, match="768000 bytes saved; run"):
        get(good, tmp_path)
    path = get(good, tmp_path)
    assert path.read_bytes() == CONTENT
    assert server.starts == [0, 768_000]
    assert get(good, tmp_path) == path
    assert server.starts == [0, 768_000]
    with pytest.raises(CorpusError, match="exists already"):
        get(Download(url), tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["corpus.zip"]


@pytest.mark.parametrize("name", ["corpus.zip", "corpus.zip.part"])
@pytest.mark.parametrize("content", [b"wrong", CONTENT[:-1] + b"?", CONTENT + b"more"])
def test_a_damaged_file_is_fetched_again_and_said(server, tmp_path, name, content):
    Server.interrupted = True
    (tmp_path / name).write_bytes(content)
    url = f"http://127.0.0.1:{server.server_port}/corpus.zip"
    good = Download(url, hashlib.md5(CONTENT).hexdigest())
    if name.endswith(".part") and len(content) >= len(CONTENT):  # not the beginning of the file
        path = get(good, tmp_path)
    else:
        with pytest.warns(DamagedFileWarning, match=rf"{name}: damaged .* downloaded again"):
            path = get(good, tmp_path)
    assert path.read_bytes() == CONTENT
    assert [p.name for p in tmp_path.iterdir()] == ["corpus.zip"]


def test_a_wrong_checksum_leaves_nothing(server, tmp_path):
    Server.interrupted = True
    wrong = Download(f"http://127.0.0.1:{server.server_port}/corpus.zip", "0" * 32)
    with pytest.raises(CorpusError, match="the owner states 000"):
        get(wrong, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_server_is_an_error(tmp_path):
    with pytest.raises(CorpusError, match="run the command again"):
        get(Download("http://127.0.0.1:9/corpus.zip"), tmp_path)
