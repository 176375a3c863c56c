"""What is audited: a finished run, a table of folds, a manifest, or a corpus."""

from collections.abc import Sequence
from pathlib import Path

from ...corpora.combine import corpus_with_folds
from ...corpora.corpus import Corpus
from ...corpora.folder import metadata_table
from ...corpora.registry import UNSTATED, Source, load_corpus
from ...corpora.tables import SUFFIXES, find_column, read_table
from ...errors import AffektError
from ...progress import Report
from ...run_result import FILE, load_run_result
from .findings import Finding
from .leakage import audit_corpus, audit_folds
from .run_audit import audit_run
from .split_audit import read_fold_table, read_manifest


def audit_target(
    target: Source,
    corpus: Source | None,
    test: Source | None,
    leave_out: Sequence[Source],
    train_only: Sequence[Source],
    folds: str | Path | None,
    report: Report,
) -> list[Finding]:
    """Audit what the target is.

    Args:
        target: As of `affekt.audit`.
        corpus: As of `affekt.audit`.
        test: As of `affekt.audit`.
        leave_out: As of `affekt.audit`.
        train_only: As of `affekt.audit`.
        folds: As of `affekt.audit`.
        report: Called with each step.

    Raises:
        AffektError: As of `affekt.audit`.
    """
    path = None if isinstance(target, Corpus) else Path(target)
    if path and (path / FILE).is_file():
        if corpus is None:
            return audit_run(path, report=report)
        of_run = load_run_result(path).settings
        columns = of_run.target_columns
        return audit_run(
            path,
            corpus_with_folds(corpus, of_run.labels, test, leave_out, train_only, folds, columns),
            report,
        )
    if any((corpus, test, leave_out, train_only, folds)):
        raise AffektError(
            f"{target}: not the folder of a run ({FILE}); a corpus of its own and options of an "
            "evaluation belong to a run"
        )
    table = path if path and path.suffix.lower() in SUFFIXES else path and metadata_table(path)
    if table:
        if find_column(table, read_table(table)[0], ["fold"]):
            parts, findings = read_fold_table(table)
            return findings + audit_folds(parts, report)
        examples, findings = read_manifest(table)
        return findings + audit_corpus(Corpus(table.stem, examples, UNSTATED), report)
    return audit_corpus(load_corpus(target), report)
