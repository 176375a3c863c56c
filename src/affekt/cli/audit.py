"""``affekt audit``."""

from .. import api
from .app import app, console, progress


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

    with progress() as report:
        findings = api.audit(target, report=report)
    console().print(finding_list(findings))
    return 1 if any(f.severity == "serious" for f in findings) else 0
