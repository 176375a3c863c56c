"""Every kind of file has its outcome in `predict`, Python, `batch` and the server alike."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import httpx
import pandas as pd
import pytest
from helpers import affekt, form, serving

from affekt import AudioError, load
from affekt.audio.source import shown
from affekt.plural import counted
from faults.table import SPOKEN, kinds

TABLE = os.environ.get("AFFEKT_KINDS", "")  # where the outcomes of all kinds are written
# `make faults` takes all of them; the others are decoded by `test_decoding` anyway.
KINDS = {kind.name: kind for i, kind in enumerate(kinds()) if TABLE or i % 3 == 0 or kind in SPOKEN}
PIPES = {"name-fifo"}  # can be read once; only `predict` gets them
CODES = {"silent", "truncated", "damaged", "gaps", "tracks", "antiphase"}  # of the table


class Outcome(NamedTuple):
    """What became of a file: an error, or duration, warnings, rejection and utterances."""

    error: str = ""
    seconds: float = 0.0
    codes: frozenset[str] = frozenset()
    rejection_reason: str = ""
    utterances: int = 0


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """The path of a file of each kind, in a folder named after the kind."""
    root = tmp_path_factory.mktemp("kinds")
    paths = {}
    for name, kind in KINDS.items():
        (root / name).mkdir()
        paths[name] = kind.make(root / name)
    return paths


def of_warnings(texts):
    return frozenset(text.partition(":")[0] for text in texts) & CODES


def of_utterances(predictions):
    """The outcome of the objects that `predict --json` prints of one file."""
    spoken = [p for p in predictions if p["segments"]]
    reasons = {p["rejection_reason"] for p in predictions}
    warnings = of_warnings(text for p in predictions for text in p["warnings"])
    reason = min(reasons) if len(reasons) == 1 else ""
    return Outcome("", predictions[-1]["file_duration"], warnings, reason, len(spoken))


def by_predict(files):
    done = affekt("predict", "--json", *files.values())
    assert done.returncode == 2
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    errors = " ".join(done.stderr.split())
    for name, path in files.items():
        if own := [o for o in objects if o["file"] == shown(path)]:
            yield name, of_utterances(own)
        else:
            yield name, Outcome(errors.partition(f"/{name}/")[2][:400])


def by_python(files):
    paths = {name: path for name, path in files.items() if name not in PIPES}
    results = load()(list(paths.values()), errors="return")
    for name, result in zip(paths, results, strict=True):
        if isinstance(result, AudioError):
            yield name, Outcome(str(result))
        else:
            yield name, of_utterances([p.to_dict() for p in result.utterances])


def by_batch(files):
    root = files["silence"].parents[1]
    for name in PIPES & files.keys():
        files[name].unlink()
    out = root.parent / "batch-out"
    done = affekt("batch", root, "--out", out)
    assert done.returncode in (0, 2), done.stderr
    rows = pd.read_parquet(out / "files").set_index("file").to_dict("index")
    for name in files.keys() - PIPES:
        row = rows.get(shown(files[name]))
        if row is None:
            assert KINDS[name].error, f"{name} is left out"
            continue
        found = row["duration"], of_warnings(row["warnings"].split("; ")), row["reason"]
        yield name, Outcome(row["error"], *found, row["utterances"])


def by_server(files, state):
    with serving(state) as address, httpx.Client(base_url=address, timeout=60) as client:
        for name, path in files.items():
            if name in PIPES or not path.is_file():
                continue
            upload = form(path.read_bytes(), os.fsencode(path.name).decode("ascii", "replace"))
            answer = client.post("/v1/recognise", **upload)
            body = answer.json()
            if answer.status_code == 200:
                outcome = of_utterances(body["utterances"])
                yield name, outcome._replace(rejection_reason=body["rejection_reason"])
            else:
                assert answer.status_code in (415, 422), (name, body)
                yield name, Outcome(body["detail"])


def check(name, outcome):
    """Compare an outcome with the table; give what differs."""
    kind = KINDS[name]
    if kind.error:
        return kind.error in outcome.error or f"{name}: {outcome}"
    right = not outcome.error and outcome.codes == set(kind.codes)
    if kind.seconds is not None:
        right = right and outcome.seconds == pytest.approx(kind.seconds, abs=0.25)
    if kind.rejection_reason:
        right = right and outcome.rejection_reason.startswith(kind.rejection_reason)
    if kind.utterances is not None:
        right = right and outcome.utterances == kind.utterances
    return bool(right) or f"{name}: {outcome}"


def test_every_interface_gives_the_outcomes_of_the_table(files, tmp_path):
    interfaces = {
        "predict": by_predict(files),
        "Python": by_python(files),
        "batch": by_batch(files),
        "server": by_server(files, tmp_path / "state"),
    }
    outcomes = {name: dict(found) for name, found in interfaces.items()}
    if TABLE:
        write_table(Path(TABLE), outcomes)
    different = {
        f"{interface}: {result}"
        for interface, found in outcomes.items()
        for name, outcome in found.items()
        if (result := check(name, outcome)) is not True
    }
    assert not different, "\n".join(sorted(different))
    assert len(list(kinds())) >= 60
    assert all(len(found) > 0.8 * len(KINDS) for found in outcomes.values())


def write_table(path, outcomes):
    """Write the outcome of each kind in each interface as Markdown."""
    lines = [
        "# Kinds of files", "", "Every kind is made by a script of `tests/faults` and recognised",
        "by `predict`, Python, `batch` and the server. `make faults` writes this table.", "",
        f"{len(KINDS)} kinds. Not tested: pipes, which can be read once, except by `predict`;",
        "files that `batch` does not list, since name and first bytes are of no recording.", "",
        f"| kind | expected | {' | '.join(outcomes)} |", "|---" * (2 + len(outcomes)) + "|",
    ]  # fmt: skip
    for name, kind in KINDS.items():
        cells = [
            "not tested" if name not in found
            else "as expected" if check(name, found[name]) is True else "**different**"
            for found in outcomes.values()
        ]  # fmt: skip
        seconds = "" if kind.seconds is None else f"{kind.seconds:.1f} s"
        parts = dict.fromkeys([seconds, kind.rejection_reason, *kind.codes])
        if kind.utterances:
            parts[counted(kind.utterances, "utterance")] = None
        expected = f'error "{kind.error}"' if kind.error else ", ".join(filter(None, parts))
        lines.append(f"| {name} | {expected or 'recognised'} | {' | '.join(cells)} |")
    path.write_text("\n".join(lines) + "\n")
