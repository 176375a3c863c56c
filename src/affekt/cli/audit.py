"""``affekt audit``."""

from .. import api
from .app import app, console, progress


@app.command
def audit(target: str) -> int:
    """Look for leakage and other faults that invalidate a score; exit 1 if one is serious.

    It finds speakers, sentences, recordings and near-duplicates that are in both training and test
    part, oversampling before the split, selection or normalisation on the test part, and classes
    that can be predicted from speaker, length or level.

    Parameters
    ----------
    target:
        Folder of a finished run; table of folds (CSV with path, label, speaker, fold and,
        optionally, part and text); or a corpus, whose official split or usual folds are audited.
    """
    from ..report.console import finding_list

    with progress() as report:
        findings = api.audit(target, report=report)
    console().print(finding_list(findings))
    return 1 if any(f.severity == "serious" for f in findings) else 0
