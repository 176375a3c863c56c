"""Console views of the known corpora and of the check of a corpus."""

from collections.abc import Mapping
from math import isnan

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ..corpora.published import PublishedCorpus
from ..corpora.splits import anonymous, one_class_speakers
from ..evaluation.audit.corpus_check import Check, abridged, class_table
from ..plural import counted, size_of
from ..sanitise import printable

SPEAKERS_SHOWN = 40


def known_list(corpora: Mapping[str, PublishedCorpus]) -> RenderableType:
    """Name, description, clips, folds, license and access of each corpus."""
    parts: list[RenderableType] = []
    for name, known in corpora.items():
        clips = f"{sum(known.counts.values())} clips, " if known.counts else ""
        folds = f"{known.folds} folds by speaker" if known.folds > 1 else "official split"
        parts += [
            Text.assemble((f"{name:16}", "bold"), known.title),
            f"    {known.about}",
            f"    {clips}{folds}. {known.license}",
            f"    {known.obtain}",
        ]
    return Group(*parts)


def check_view(found: Check) -> RenderableType:
    """Everything that a check found, serious faults last."""
    corpus = found.corpus
    hours = sum(found.seconds.values()) / 3600
    rates = ", ".join(f"{rate:g} Hz ({n})" for rate, n in found.sampling_rates.items())
    parts: list[RenderableType] = [
        Text.assemble((printable(corpus.name), "bold"), f"  {corpus.license}"),
        f"{size_of(len(corpus.examples), corpus.description()['speakers'])}, "
        f"{hours:.2f} hours, {rates or 'none readable'}",
        *(Text(f"note: {printable(note)}") for note in corpus.notes),
        *(f"{c}: {counted(here, 'clip')} found, {n} published" for c, here, n in found.official),
    ]
    for id, reason in list(found.unreadable.items())[:5]:
        parts.append(Text(f"unreadable: {printable(id)}: {printable(reason)}", "yellow"))
    parts += [
        Text(f"{code}: {counted(len(ids), 'clip')}, {printable(abridged(ids))}", "yellow")
        for code, ids in found.warnings.items()
    ]
    parts += [
        Text(f"equal samples: {printable(abridged(group, 4))}", "yellow")
        for group in found.duplicates[:5]
    ]
    parts += ["", _speakers(found), "", _probes(found)]
    if single := one_class_speakers(corpus.examples):
        parts.append(
            f"{len(single)} of {counted(len(corpus.speakers), 'speaker')} with one class only"
        )
    parts += [Text(f"serious: {printable(text)}", "bold red") for text in found.serious]
    return Group(*parts)


def _speakers(found: Check) -> Table:
    """Clips of each class by speaker; only their sum where speakers are unknown."""
    labels = found.corpus.labels
    rows = class_table(found.corpus)
    shown = [] if anonymous(found.corpus.examples) else list(rows.items())
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("speaker" if shown else "")
    for label in labels:
        table.add_column(Text(printable(label)), justify="right")
    for speaker, counts in shown[:SPEAKERS_SHOWN]:
        table.add_row(Text(printable(speaker)), *(str(counts[c] or "") for c in labels))
    if len(shown) > SPEAKERS_SHOWN:
        table.add_row(f"{len(shown) - SPEAKERS_SHOWN} more")
    total = [str(sum(counts[c] for counts in rows.values())) for c in labels]
    table.add_row("all", *total, style="bold")
    return table


def _probes(found: Check) -> Table:
    table = Table(box=None, header_style="bold", padding=(0, 1))
    table.add_column("property that predicts the class")
    table.add_column("UAR", justify="right")
    table.add_column("chance", justify="right")
    for name, probe in found.probes.items():
        score = "-" if isnan(probe.uar) else f"{probe.uar:.2f}"
        table.add_row(name, score, f"{probe.chance:.2f}")
    return table
