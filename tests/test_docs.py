"""Every command and example of the docs is run, as a reader would run it, on synthetic data."""

import argparse
import importlib.util
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from contextlib import nullcontext, suppress

import httpx
import pytest
import soundfile
from helpers import COMMANDS, EXPORT, PITCH, RATE, ROOT, SPEAKERS, baum1s, serving, voice

import affekt
from affekt.corpora.registry import CORPORA
from affekt.evaluation.systems.registry import SYSTEMS

READMES = [ROOT / "README.md", ROOT / "README.zh.md"]
PAGES = [*READMES, *sorted((ROOT / "docs").rglob("*.md"))]
SHOWN = [  # runs whose scores stand in the READMEs
    "open", "emodb/auto-attention", "emodb/none-attention", "emodb/auto-mean",
    "emodb/compare-svm", "emodb/egemaps-svm", "emodb/vggish-random-start",
]  # fmt: skip
LINKED = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "results").glob("*.md")]
LOCAL = "http://127.0.0.1:8000"
QUICK = ["--stage1.epochs", "1", "--stage2.epochs", "1"]
NARROW = ["--encoder.width", "0.25"]  # as --weights distilled
ONE_SEED = ["--protocol.seeds", "1"]
TWO_FOLDS = [*ONE_SEED, "--protocol.folds", "2"]


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
    rows, folds = ["path,label,speaker"], ["path,fold"]
    (desk / "emodb/wav").mkdir(parents=True)
    letters = {"anger": "W", "sadness": "T", "neutral": "N"}
    for number, speaker in enumerate(SPEAKERS[:5]):
        for label in PITCH:
            stem = f"{number + 10}a01{letters[label]}a"
            soundfile.write(desk / f"emodb/wav/{stem}.wav", voice(label, speaker, 0, 1.2), RATE)
            rows.append(f"emodb/wav/{stem}.wav,{label},{speaker}")
            folds.append(f"wav/{stem}.wav,{number % 2}")
    baum1s(desk / "BAUM1s")
    for name, lines in (("my", rows), ("predictions", rows), ("folds", folds)):
        (desk / f"{name}.csv").write_text("\n".join(lines) + "\n")
    shutil.copytree(ROOT / "demo", desk / "calls", ignore=shutil.ignore_patterns("out", "*.sh"))
    call = soundfile.read(ROOT / "demo/lively.flac", dtype="float32")[0]
    soundfile.write(desk / "call.wav", call, RATE)
    (desk / "call.raw").write_bytes((call * 32767).astype("<i2").tobytes())
    return desk


CHINESE = [p for p in PAGES if p.name == "README.zh.md" or p.is_relative_to(ROOT / "docs/zh")]
RUN = [page for page in PAGES if page not in CHINESE]  # the Chinese pages have the same code


def name_of(page):
    return str(page.relative_to(ROOT))


def send(curl, folder):
    """Send the request of a curl command, also where curl is not installed."""
    parser = argparse.ArgumentParser(prog="curl", exit_on_error=False)
    parser.add_argument("url")
    parser.add_argument("-F", dest="form", action="append", default=[])
    parser.add_argument("--data-binary", dest="body")
    parser.add_argument("-H", dest="headers", action="append", default=[])
    given = parser.parse_args(curl[1:])
    headers = dict(header.split(": ", 1) for header in given.headers)
    if given.form:
        parts = [part.split("=", 1) for part in given.form]
        files = [(n, (v[1:], (folder / v[1:]).read_bytes())) for n, v in parts if v[0] == "@"]
        fields = {n: v for n, v in parts if v[0] != "@"}
        answer = httpx.post(given.url, files=files, data=fields, headers=headers)
    elif given.body:
        content = (folder / given.body.removeprefix("@")).read_bytes()
        answer = httpx.post(given.url, content=content, headers=headers)
    else:
        answer = httpx.get(given.url, headers=headers)
    assert answer.is_success, f"{shlex.join(curl)}\n{answer.text}"
    if shutil.which("curl"):
        assert subprocess.run([*curl, "-sf"], cwd=folder).returncode == 0, shlex.join(curl)


@pytest.fixture
def server(desk, tmp_path):
    """Starts `affekt serve` as a page does, and sends the requests of its curl commands."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    begun = []

    def start(arguments):
        arguments = [*arguments, "--port", port, "--state", str(tmp_path)]
        begun.append(subprocess.Popen([sys.executable, "-m", "affekt", *arguments], cwd=desk))

    def send_line(line):
        for _ in range(300):
            with suppress(httpx.TransportError):
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            time.sleep(0.1)
        send(shlex.split(line.replace(":8000", f":{port}")), desk)

    yield start, send_line
    for process in begun:
        process.terminate()
        process.wait()


class Runner:
    """Runs the command lines of the pages on a desk; an equal line runs only once.

    Lines that use folders of earlier lines run on each page.
    """

    def __init__(self, desk, copies):
        self.desk, self.copies = desk, copies
        self.finished = {}
        self.environment = os.environ | {"OMP_NUM_THREADS": "1"}

    def run(self, line):
        command, _, source = line.partition(" < ")
        arguments = shlex.split(command)
        folders = [word for word in arguments if word.startswith(("runs/", "models/"))]
        independent = not any((self.desk / folder).exists() for folder in folders)
        if independent and line in self.finished:
            for folder in folders:
                shutil.copytree(self.finished[line] / folder, self.desk / folder)
            return
        if arguments[0] == "torchrun":
            done = self._process([sys.executable, "-m", "torch.distributed.run",
                                  *arguments[1:], *QUICK])  # fmt: skip
        elif not self.finished:  # one command exactly as a shell starts it
            done = self._process([sys.executable, "-m", *shortened(arguments)])
        else:
            stdin = self.desk / source if source else os.devnull
            done = COMMANDS.run(shortened(arguments)[1:], self.desk, self.environment, stdin)
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        if independent:
            self.finished[line] = self.copies / str(len(self.finished))
            for folder in folders:
                shutil.copytree(self.desk / folder, self.finished[line] / folder)

    def _process(self, command):
        return subprocess.run(
            command, cwd=self.desk, capture_output=True, text=True, timeout=300, check=False,
            env=self.environment,
        )  # fmt: skip


def shortened(arguments):
    """A command of affekt with fewer epochs, folds, seeds and systems, and a narrower VGGish."""
    command = arguments[1]
    if command == "train":
        return [*arguments, *QUICK]
    if command == "tune":
        return ["1" if a == "20" else a for a in arguments] + [*QUICK, *TWO_FOLDS]
    if command in ("evaluate", "study") and not {"--model", "--predictions"} & {*arguments}:
        quick = [] if "--system" in arguments else QUICK  # only networks have epochs
        if "recipes/vggish.toml" in arguments and "--weights" not in arguments:
            quick = [*quick, *NARROW]
        return [*arguments, *quick, *(ONE_SEED if "--folds" in arguments else TWO_FOLDS)]
    if command == "reproduce":  # networks of this size take their time
        return [*arguments, "--systems", "mfcc,majority", *TWO_FOLDS]
    return arguments


@pytest.fixture(scope="module")
def runner(desk, tmp_path_factory):
    return Runner(desk, tmp_path_factory.mktemp("finished"))


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_commands_run_as_written(page, desk, server, runner, request):
    for folder in ("runs", "models"):
        shutil.rmtree(desk / folder, ignore_errors=True)
    serve, send_line = server
    for line in commands(page):
        if line.startswith("curl "):
            send_line(line)
        elif line.startswith("affekt serve"):
            serve(shlex.split(line)[1:])
        elif line == EXPORT:
            shutil.copy(request.getfixturevalue("exported_default"), desk)
        elif line.startswith(("affekt ", "torchrun ")):
            runner.run(line)
        else:
            allowed = r"(make|pip install|git clone|cd|docker) |$"
            assert re.match(allowed, line), f"not tested: {line}"


@pytest.mark.parametrize("page", RUN, ids=name_of)
def test_python_examples_run_as_written(page, desk, monkeypatch, tmp_path):
    shutil.rmtree(desk / "runs", ignore_errors=True)
    monkeypatch.chdir(desk)
    for example in blocks(page, "python"):
        needs_server = LOCAL in example
        with serving(tmp_path) if needs_server else nullcontext(LOCAL) as address:
            exec(compile(example.replace(LOCAL, address), page.name, "exec"), {})


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
    english, chinese = READMES
    assert commands(english) == commands(chinese)
    for language in ("python", "json"):
        assert blocks(english, language) == blocks(chinese, language)
    for pattern in (r"\]\(([^)#]+)\)", r"\d+\.\d+", r"^#+ ", r"^\|"):
        ours, theirs = (re.findall(pattern, p.read_text("utf-8"), re.M) for p in (english, chinese))
        if pattern.startswith(r"\]"):
            theirs = [link.replace("docs/zh/", "docs/en/") for link in theirs]
            ours, theirs = set(ours) - {"README.zh.md"}, set(theirs) - {"README.md"}
        assert ours == theirs, pattern


def agrees(shown, actual):
    """Whether an excerpt, with rounded numbers, is part of a result."""
    if isinstance(shown, dict):
        return all(agrees(value, actual[key]) for key, value in shown.items())
    if isinstance(shown, list):
        return all(any(agrees(one, other) for other in actual) for one in shown)
    return shown == (pytest.approx(actual, abs=0.02) if isinstance(shown, float) else actual)


def test_the_json_of_the_readme_is_what_predict_gives(monkeypatch):
    monkeypatch.chdir(ROOT)
    [utterance] = affekt.load().utterances("demo/mixed.flac")
    result = utterance.to_dict()
    (excerpt,) = blocks(READMES[0], "json")
    assert agrees(json.loads(excerpt), result)
    assert not agrees({"label": "fear"}, result)
    assert not agrees({"confidence": 0.9}, result)


@pytest.mark.parametrize("page", LINKED, ids=name_of)
def test_links_to_files_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
        if "://" not in target:
            linked = (page.parent / target).resolve()
            assert linked.exists(), target


def test_the_table_of_results_is_that_of_the_files():
    spec = importlib.util.spec_from_file_location("table", ROOT / "results/table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text("utf-8")
    assert module.filled(page) == page, "run python results/table.py"
    for readme in READMES:
        text = readme.read_text("utf-8")
        for name in SHOWN:
            row = module.row(ROOT / "results" / name)
            uar, interval = (cell.split("±")[0].strip() for cell in row.split("|")[3:5])
            assert f"| {uar} | {interval} |" in text, name
