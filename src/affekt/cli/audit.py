"""``affekt audit``."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from .. import api
from .app import app, console, progress

STATUS = {"serious": 1, "suspicion": 3}  # exit status by severity; 0 for all others


@app.command
def audit(
    target: str,
    corpus: str | None = None,
    *,
    test: str | None = None,
    leave_out: list[str] | None = None,
    train_only: list[str] | None = None,
    folds: Path | None = None,
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
) -> int:
    """Look for leakage and other faults that invalidate a score.

    It finds speakers, sentences, recordings, copies and near-duplicates that are in both training
    and test part, a speaker under two names, oversampling before the split, selection or
    normalisation on the test part, classes that can be predicted from speaker, length or level,
    rows of a table with an empty or wrong cell, and scores and texts of a run that its predictions,
    settings and corpus do not give. It names each check that it could not make.

    Exit status: 0 if nothing was found in the checks made, or only notes; 1 if a finding is
    serious; 3 if there are only suspicions, which a person must confirm by listening.

    Parameters
    ----------
    target:
        Folder of a finished run; table of folds (CSV with path, label, speaker, fold and,
        optionally, part and text); or a corpus, whose official split or usual folds are audited.
    corpus:
        For a run: the corpus that was its source. Without it only the record and the scores of the
        run are audited, not its clips.
    test:
        For a run that was evaluated with this option: the same value.
    leave_out:
        For a run that was evaluated with this option: the same values.
    train_only:
        For a run that was evaluated with this option: the same values.
    folds:
        For a run that was evaluated with this option: the same value.
    as_json:
        Print the findings as a JSON list.
    """
    from ..report.console import finding_list

    with progress() as report:
        findings = api.audit(
            target,
            corpus,
            test=test,
            leave_out=leave_out or (),
            train_only=train_only or (),
            folds=folds,
            report=report,
        )
    if as_json:
        print(json.dumps([asdict(f) for f in findings], indent=2, ensure_ascii=False))
    else:
        console().print(finding_list(findings))
    found = {f.severity for f in findings}
    return next((status for severity, status in STATUS.items() if severity in found), 0)
