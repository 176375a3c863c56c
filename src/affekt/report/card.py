"""The model card: data, protocol, score, terms, and what the model must not be used for."""

from collections.abc import Mapping
from typing import Any

LIMITS = """\
Emotion recognition errs. It hears how something was said, not what is felt; people, cultures
and languages differ in how they sound; acted speech differs from everyday speech. Use the
result to search, sort and look closer. It must not decide about a person: not on hiring,
grading, credit, policing, border control, health or employment."""


def model_card(
    name: str,
    note: str,
    labels: list[str],
    training: Mapping[str, Any],
    evaluation: Mapping[str, Any] | None,
) -> str:
    """Markdown of a model folder's README.md."""
    corpus = training["corpus"]
    counts = ", ".join(f"{label} {count}" for label, count in corpus["labels"].items())
    lines = [
        f"# {name}",
        "",
        note,
        "",
        "| | |",
        "|---|---|",
        f"| classes | {', '.join(labels)} |",
        f"| trained on | {corpus['name']}: {corpus['clips']} clips, "
        f"{corpus['speakers']} speakers ({counts}) |",
        f"| terms of the data | {corpus['terms']} |",
        f"| encoder | {training['encoder']} |",
        f"| balance plan | {', '.join(f'{c}: {t}' for c, t in training['plan'].items())} |",
        f"| epochs | stage 1: {training['stage1_epochs']}, stage 2: {training['stage2_epochs']} |",
        f"| seed | {training['seed']} |",
        "",
        "## Score",
        "",
        *_score(training, evaluation),
        "",
        "## Limits",
        "",
        LIMITS,
        "",
    ]
    return "\n".join(lines)


def _score(training: Mapping[str, Any], evaluation: Mapping[str, Any] | None) -> list[str]:
    speakers = ", ".join(training["validation_speakers"])
    optimistic = (
        f"UAR {training['validation_UAR']:.3f} on the validation speakers ({speakers}), who also "
        "chose the number of epochs: an optimistic figure, not a test."
    )
    if training["refit"]:
        optimistic += " The final weights were trained on them too, for that number of epochs."
    if training["interrupted"]:
        optimistic += " **Training was interrupted**: these are the best weights until then."
    if evaluation is None:
        return [optimistic, "", "For a test on unheard speakers run `affekt evaluate`."]
    rows = []
    for score in ("WA", "UAR", "macro_f1", "MAP"):
        low, high = evaluation["ci95"][score]
        mean, sd = evaluation[score], evaluation["sd"][score]
        rows.append(f"| {score} | {mean:.3f} | {sd:.3f} | {low:.3f} - {high:.3f} |")
    own = "the corpus' test speakers, whom this model has not heard either:"
    if evaluation["corpus"]["clips"] == training["corpus"]["clips"]:
        own = "unheard speakers of the same corpus (this model itself was trained on all of them):"
    return [
        f"Of the same recipe on {own}",
        "",
        "| score | mean | sd over seeds | 95 % over speakers |",
        "|---|---|---|---|",
        *rows,
        f"| majority (WA) | {evaluation['majority']:.3f} | | |",
        "",
        evaluation["protocol"],
        "",
        optimistic,
    ]
