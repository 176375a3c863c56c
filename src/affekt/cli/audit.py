"""``affekt audit``."""

from pathlib import Path
from typing import TYPE_CHECKING

from .app import app, console, progress

if TYPE_CHECKING:
    from ..evaluation.audit.leakage import Finding


@app.command
def audit(target: str) -> int:
    """Look for what would make a score worthless; exit 1 if something serious is found.

    Speakers, sentences, recordings and near-duplicates in both train and test, oversampling
    before the split, choices made on the test part, statistics taken from it, and classes
    that speaker, length or level tell.

    Parameters
    ----------
    target:
        A finished run, a table of folds (CSV with path, label, speaker, fold and if you like
        part and text), or a corpus, whose usual folds are audited.
    """
    from ..report.console import finding_list

    findings = _findings(target)
    console().print(finding_list(findings))
    return 1 if any(f.severity == "serious" for f in findings) else 0


def _findings(target: str) -> "list[Finding]":
    from ..corpora.manifest import SUFFIXES, read_table
    from ..corpora.registry import load_corpus
    from ..evaluation import fold_table
    from ..evaluation.audit.leakage import Fold, audit_folds, audit_run, folds_of
    from ..run_result import load_run_result

    place = Path(target)
    if (place / "metrics.json").is_file():
        return audit_run(load_run_result(place))
    if place.suffix.lower() in SUFFIXES and "fold" in read_table(place)[0]:
        folds = [Fold(p["train"], p["val"], p["test"]) for p in fold_table.load(place)]
    else:
        folds = folds_of(load_corpus(target))
    with progress() as report:
        return audit_folds(folds, report)
