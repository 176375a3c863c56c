"""Regression of arousal and valence against those derived from predicted classes.

    python benchmarks/dimensions.py emodb:FOLDER ... > results/dimensions.md

No corpus here is annotated by dimensions. The targets are the published positions of its classes
(`affekt.valence_arousal`), so that they take as many values as there are classes, and both ways
know as much.
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

import affekt
from affekt.corpora.corpus import Corpus
from affekt.dimension_result import DimensionResult, DimensionScores
from affekt.evaluation.dimension_scores import measure_dimensions
from affekt.valence_arousal import Position, position

NAMES = ("arousal", "valence")
HEAD = """# Arousal and valence: regression, and derived from classes

`python benchmarks/dimensions.py {sources}`: folds by speaker, three seeds, the default recipe. No
corpus here is annotated by dimensions: **the targets are derived from the classes**, as the
published positions of the emotion words. Regression is trained on them by 1 - CCC; "from classes"
is the same recipe trained on the classes, of whose probabilities the mean position is taken. CCC
and RMSE over all folds, mean over seeds, 95 % interval by bootstrap over speakers. Nothing was
chosen by these scores.

| corpus | dimension | targets | CCC | 95 % | RMSE | RMSE of the mean |
|---|---|---|---|---|---|---|"""


def placed(label: str) -> Position:
    """Position of a class."""
    found = position({label: 1.0})
    assert found, f"{label} has no position"
    return found


def with_positions(corpus: Corpus) -> Corpus:
    """The corpus with the position of each class in place of the label."""

    def rated(label: str) -> tuple[tuple[str, float], ...]:
        return tuple((name, getattr(placed(label), name)) for name in NAMES)

    examples = (replace(e, label="", targets=rated(e.label)) for e in corpus.examples)
    return replace(corpus, examples=tuple(examples))


def from_classes(predictions: Path, labels: list[str]) -> dict[str, DimensionScores]:
    """Scores of the mean position of predicted classes."""
    table = pd.read_parquet(predictions)
    shares = table[[f"prob_{label}" for label in labels]].to_numpy()
    for name in NAMES:
        table[f"target_{name}"] = [getattr(placed(label), name) for label in table["label"]]
        table[f"predicted_{name}"] = shares @ np.array([getattr(placed(c), name) for c in labels])
    scores = measure_dimensions(table, NAMES)["dimensions"]
    return {name: DimensionScores.model_validate(own) for name, own in scores.items()}


def row(corpus: str, name: str, way: str, own: DimensionScores) -> str:
    """A row of the table."""
    low, high = own.ci95["CCC"] or (np.nan, np.nan)
    cells = f"{own.CCC:.3f} | {low:.3f} - {high:.3f} | {own.RMSE:.3f} | {own.target_sd:.3f}"
    return f"| {corpus} | {name} | {way} | {cells} |"


def main(sources: list[str]) -> None:
    """Evaluate each corpus in both ways and print the table."""
    print(HEAD.format(sources=" ".join(s.partition(":")[0] + ":FOLDER" for s in sources)))
    for source in sources:
        corpus = affekt.load_corpus(source)
        with tempfile.TemporaryDirectory() as folder:
            rated = with_positions(corpus)
            result = affekt.evaluate(
                rated, f"{folder}/dimensions", config={"dimensions": list(NAMES)}
            )
            assert isinstance(result, DimensionResult)
            affekt.evaluate(corpus, f"{folder}/classes")
            derived = from_classes(Path(folder, "classes/predictions.parquet"), corpus.labels)
        for name in NAMES:
            print(row(corpus.name, name, "regression", result.dimensions[name]))
            print(row(corpus.name, name, "from classes", derived[name]), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
