"""Every command and example of the docs is run, as a reader would run it, on synthetic data."""

import importlib.util
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import suppress

import httpx
import numpy as np
import pytest
import reference
import soundfile
import torch
from helpers import PITCH, RATE, ROOT, SPEAKERS, baum1s, voice
from safetensors.torch import save_file

from affekt.corpora.registry import CORPORA
from affekt.evaluation.systems.registry import SYSTEMS
from affekt.nn.encoders.whisper import Whisper

PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [  # runs whose scores stand in the READMEs
    "open", "emodb/auto-attention", "emodb/none-attention", "emodb/auto-mean",
    "emodb/compare-svm", "emodb/egemaps-svm", "emodb/vggish-random-start",
]  # fmt: skip
QUICK = ["--stage1.epochs", "1", "--stage2.epochs", "1", "--protocol.seeds", "1"]


def blocks(page, language):
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.S | re.M)


def commands(page):
    text = "".join(blocks(page, "sh")).replace("\\\n", " ")
    return [line.split("#")[0].strip() for line in text.splitlines()]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A reader's folder: the files that the docs name, as synthetic stand-ins."""
    desk = tmp_path_factory.mktemp("desk")
    shutil.copytree(ROOT / "demo", desk / "demo", ignore=shutil.ignore_patterns("out"))
    shutil.copytree(ROOT / "recipes", desk / "recipes")
    rows = ["path,label,speaker"]
    (desk / "emodb/wav").mkdir(parents=True)
    letters = {"anger": "W", "sadness": "T", "neutral": "N"}
    for number, speaker in enumerate(SPEAKERS[:5]):
        for label in PITCH:
            for take in range(2):
                wave = voice(label, speaker, take, 1.2)
                stem = f"{number + 10}a0{take + 1}{letters[label]}a"
                soundfile.write(desk / f"emodb/wav/{stem}.wav", wave, RATE)
                rows.append(f"emodb/wav/{stem}.wav,{label},{speaker}")
    baum1s(desk / "BAUM1s")
    (desk / "my.csv").write_text("\n".join(rows) + "\n")
    shutil.copytree(ROOT / "demo", desk / "calls", ignore=shutil.ignore_patterns("out", "*.sh"))
    call = np.tile(voice("anger", "s1", 0, 1.3), 2)
    soundfile.write(desk / "call.wav", call, RATE)
    (desk / "call.raw").write_bytes((call * 32767).astype("<i2").tobytes())
    torch.manual_seed(0)
    tiny = {k: v.half() for k, v in Whisper(64, 3, pooling="mean").state_dict().items()}
    save_file(tiny, desk / "whisper-base-encoder.safetensors")
    return desk


CHINESE = [p for p in PAGES if p.name == "README.zh.md" or p.is_relative_to(ROOT / "docs/zh")]
RUN = [page for page in PAGES if page not in CHINESE]  # the Chinese pages have the same commands
GENERATED = {ROOT / f"docs/en/reference/{name}" for name in reference.pages()}


def name_of(page):
    return str(page.relative_to(ROOT))


@pytest.fixture
def server(desk, tmp_path):
    """Starts `affekt serve` as a page does; its curl commands then ask it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    begun = []

    def start(arguments):
        arguments = [*arguments, "--port", port, "--state", str(tmp_path)]
        begun.append(subprocess.Popen([sys.executable, "-m", "affekt", *arguments], cwd=desk))

    def ask(line):
        for _ in range(300):
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            time.sleep(0.1)
        if shutil.which("curl"):
            done = subprocess.run(
                ["curl", "-sf", *shlex.split(line.replace(":8000", f":{port}"))[1:]], cwd=desk
            )
            assert done.returncode == 0, line

    yield start, ask
    for process in begun:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_commands_run_as_written(page, desk, server):
    for folder in ("runs", "models"):
        shutil.rmtree(desk / folder, ignore_errors=True)
    serve, ask = server
    for line in commands(page):
        if line.startswith("curl "):
            ask(line)
            continue
        command, _, source = line.partition(" < ")
        run = [sys.executable, "-m", "affekt"]
        if line.startswith("torchrun "):
            options, _, own = line.partition(" -m affekt ")
            run[2:] = ["torch.distributed.run", *shlex.split(options)[1:], "-m", "affekt"]
            command = line = f"affekt {own}"
        if not line.startswith("affekt "):
            allowed = r"(make|pip install|git clone|cd|docker) |$"
            assert re.match(allowed, line), f"not tested: {line}"
            continue
        arguments = shlex.split(command)[1:]
        if arguments[0] == "serve":
            serve(arguments)
            continue
        if arguments[0] in ("train", "evaluate", "study"):  # only fewer epochs and seeds
            arguments += QUICK if "vggish" not in line else [*QUICK, "--protocol.folds", "2"]
        if arguments[0] == "reproduce":  # networks of this size take their time
            arguments += ["--systems", "mfcc,majority", "--protocol.folds", "2", *QUICK]
        done = subprocess.run(
            [*run, *arguments], cwd=desk, capture_output=True,
            timeout=300, check=False, input=(desk / source).read_bytes() if source else None,
            env=os.environ | {"OMP_NUM_THREADS": "1", "AFFEKT_CACHE": str(desk / "cache")},
        )  # fmt: skip
        assert done.returncode == 0, f"{line}\n{done.stderr.decode()}"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_examples_run_as_written(page, desk, monkeypatch):
    monkeypatch.chdir(desk)
    for example in blocks(page, "python"):
        exec(compile(example, page.name, "exec"), {})


@pytest.mark.parametrize(("page", "names"), [("corpora", CORPORA), ("systems", SYSTEMS)])
def test_every_corpus_and_system_is_described(page, names):
    rows = re.findall(
        r"^\|(.+?)\|", (ROOT / f"docs/en/reference/{page}.md").read_text("utf-8"), re.M
    )
    assert set(re.findall(r"`([^`]+)`", " ".join(rows))) == set(names)


def test_make_targets_of_the_docs_exist():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    for page in PAGES:
        assert set(re.findall(r"`?make ([a-z-]+)`?$", page.read_text("utf-8"), re.M)) <= targets


def test_both_readmes_have_the_same_commands_pictures_and_numbers():
    english, chinese = (ROOT / name for name in ("README.md", "README.zh.md"))
    assert commands(english) == commands(chinese)
    assert blocks(english, "python") == blocks(chinese, "python")
    for pattern in (r"\]\(([^)#]+)\)", r"\d+\.\d+", r"^#+ ", r"^\|"):
        ours, theirs = (re.findall(pattern, p.read_text("utf-8"), re.M) for p in (english, chinese))
        if pattern.startswith(r"\]"):
            ours, theirs = ({x.replace(".zh", "") for x in found} for found in (ours, theirs))
            ours, theirs = ours - {"README.md"}, theirs - {"README.md"}
        assert ours == theirs, pattern


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if "://" not in target:
            linked = (page.parent / target).resolve()
            assert linked.exists() or linked in GENERATED, target


def test_the_table_of_results_is_that_of_the_files():
    spec = importlib.util.spec_from_file_location("table", ROOT / "results/table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text("utf-8")
    assert module.filled(page) == page, "run python results/table.py"
    for readme in ("README.md", "README.zh.md"):
        text = (ROOT / readme).read_text("utf-8")
        for name in SHOWN:
            row = module.row(ROOT / "results" / name)
            uar, interval = (cell.split("±")[0].strip() for cell in row.split("|")[3:5])
            assert f"| {uar} | {interval} |" in text, name
