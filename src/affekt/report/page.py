"""Report on one or several runs as HTML, Markdown and CSV."""

import base64
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, select_autoescape
from matplotlib.figure import Figure

from ..evaluation.results import Comparison, Run, by_gender, compare, mismatches, with_marks
from ..metrics import SCORES
from ..plural import counted
from ..sanitise import csv_text
from .figures import charts
from .i18n import SPEAKERS_UNKNOWN, TEXT
from .model_card import cell

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class Page:
    """A report in all formats.

    Attributes:
        html: Self-contained page.
        markdown: Scores, significance tests and protocols, without figures.
        csv: Scores.
    """

    html: str
    markdown: str
    csv: str


def study_page(runs: list[Run], language: str = "en") -> Page:
    """Report on runs over the same corpus, the highest UAR first.

    Args:
        runs: The runs.
        language: ``en`` or ``zh``.

    Raises:
        AffektError: The runs have different test clips.
    """
    different = mismatches(runs)
    runs = sorted(with_marks(runs), key=lambda run: -run.metrics.UAR)
    comparisons = compare(runs)
    is_known = runs[0].metrics.unit == "speakers"
    text = TEXT[language] | ({} if is_known else SPEAKERS_UNKNOWN[language])
    notes = list(dict.fromkeys(note for run in runs for note in run.metrics.notes))
    content = {
        "t": text,
        "language": language,
        "corpus": runs[0].metrics.corpus,
        "notes": [text[f"other_{what}"] for what in different] + notes,
        "rows": [_row(run) for run in runs],
        "score_names": SCORES,
        "majority": runs[0].metrics.majority,
        "chance": runs[0].metrics.chance_UAR,
        "comparisons": [_pair(c) for c in comparisons],
        "smallest_p": _smallest_p(runs[0], len(comparisons), text["smallest_p"]),
        "runs": [_details(run) for run in runs],
    }
    html, markdown = (render(f"study.{kind}", content) for kind in ("html", "md"))
    return Page(html, markdown, _csv(runs))


def render(template: str, content: dict[str, Any]) -> str:
    """Fill a template; values in HTML are escaped."""
    environment = Environment(
        loader=PackageLoader("affekt.report"),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["cell"] = cell
    environment.filters["counted"] = counted
    return environment.get_template(template).render(content)


def _smallest_p(run: Run, pairs: int, text: str) -> str:
    """A note if no difference can be significant with so few speakers and so many pairs."""
    speakers = len(run.by_speaker)
    least = 2.0 ** (1 - speakers)
    corrected = min(1.0, pairs * least)
    if corrected <= SIGNIFICANT:
        return ""
    return text.format(speakers=speakers, least=least, pairs=pairs, corrected=corrected)


def _row(run: Run) -> dict[str, Any]:
    cells = []
    for name in SCORES:
        sd, interval = run.metrics.sd[name], run.metrics.ci95[name]
        text = f"{run.metrics.score(name):.3f}" + ("" if sd is None else f" ± {sd:.3f}")
        cells.append((text, "" if interval is None else f"[{interval[0]:.3f}, {interval[1]:.3f}]"))
    return {"title": run.title, "cells": cells, "seeds": run.metrics.seeds}


def _pair(comparison: Comparison) -> dict[str, Any]:
    return comparison._asdict() | {"significant": comparison.corrected < SIGNIFICANT}


def _details(run: Run) -> dict[str, Any]:
    curves = [info.curves for info in run.metrics.runs if info.curves]
    balance = (run.metrics.runs[0].balance or []) if run.metrics.runs else []
    settings = run.metrics.model_dump(mode="json", include={"config", "versions", "corpus"})
    return {
        "title": run.title,
        "name": run.name,
        "confusion": embedded(charts.confusion(**dict(run.metrics.confusion), title="")),
        "classes": run.metrics.per_class,
        "speakers": run.metrics.per_speaker if run.metrics.unit == "speakers" else {},
        "genders": by_gender(run),
        "risk": embedded(charts.risk_coverage(run.risk_coverage)) if run.risk_coverage else "",
        "curves": embedded(charts.learning(curves)) if curves else "",
        "balance": embedded(charts.balance(balance, "")) if balance else "",
        "protocol": run.metrics.protocol,
        "settings": json.dumps(settings, indent=2, ensure_ascii=False),
    }


def embedded(figure: Figure) -> str:
    """A figure as a data URL."""
    file = io.BytesIO()
    charts.draw(figure, file, "png")
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def _csv(runs: list[Run]) -> str:
    rows = []
    for run in runs:
        row: dict[str, Any] = {
            "run": csv_text(run.name),
            "system": csv_text(run.title),
            "seeds": run.metrics.seeds,
            "folds": len(run.folds),
        }
        for name in SCORES:
            low, high = run.metrics.ci95[name] or (None, None)
            row |= {
                name: run.metrics.score(name),
                f"{name}_sd": run.metrics.sd[name],
                f"{name}_low": low,
                f"{name}_high": high,
            }
        rows.append(row | {"majority": run.metrics.majority})
    return pd.DataFrame(rows).to_csv(index=False)


def write_page(page: Page, place: Path) -> list[Path]:
    """Write the formats of a report, with the name of `place` and their own suffixes.

    Returns:
        Paths of the written files.
    """
    from ..atomic import write

    forms = {".html": page.html, ".md": page.markdown, ".csv": page.csv}
    paths = [place.with_suffix(suffix) for suffix in forms]
    for path, text in zip(paths, forms.values(), strict=True):
        write(path, text)
    return paths
