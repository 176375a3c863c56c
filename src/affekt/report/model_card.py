"""The model card: data, protocol, score, terms, and what the model must not be used for."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..sanitise import printable
from .console import score_cells

if TYPE_CHECKING:
    from ..run_result import RunResult

LIMITS = """\
## Limits

Emotion recognition errs. It hears how something was said, not what is felt; people, cultures
and languages differ in how they sound; acted speech differs from everyday speech. Use the
result to search, sort and look closer. It must not decide about a person: not on hiring,
grading, credit, policing, border control, health or employment."""


def model_card(
    name: str,
    note: str,
    labels: list[str],
    training: Mapping[str, Any],
    evaluation: "RunResult | None",
) -> str:
    """Markdown of a model folder's README.md."""
    corpus = training["corpus"]
    counts = ", ".join(f"{cell(label)} {count}" for label, count in corpus["labels"].items())
    plan = ", ".join(f"{cell(label)}: {tier}" for label, tier in training["plan"].items())
    lines = [
        f"# {name}",
        "",
        note,
        "",
        "| | |",
        "|---|---|",
        f"| classes | {cell(', '.join(labels))} |",
        f"| trained on | {cell(corpus['name'])}: {corpus['clips']} clips, "
        f"{corpus['speakers']} speakers ({counts}) |",
        f"| terms of the data | {corpus['terms']} |",
        f"| encoder | {training['encoder']} |",
        f"| balance plan | {plan} |",
        f"| epochs | stage 1: {training['stage1_epochs']}, stage 2: {training['stage2_epochs']} |",
        f"| seed | {training['seed']} |",
        f"| confidence | {cell(_calibrated(training))} |",
        "",
        "## Score",
        "",
        *_score(training, evaluation),
        "",
        LIMITS,
        "",
    ]
    return "\n".join(lines)


def _calibrated(training: Mapping[str, Any]) -> str:
    """On whom the probabilities were calibrated."""
    if not (runs := training.get("left_out")):
        return "calibrated on validation speakers; on other voices and languages it is too high"
    corpora = ", ".join(runs[0]["corpora"])
    return f"calibrated on corpora left out of training in turn ({corpora})"


def adapted_card(name: str, note: str, labels: list[str], training_info: Mapping[str, Any]) -> str:
    """Markdown of the README.md of a model fitted to its user's recordings."""
    corpus, low_high = training_info["corpus"], training_info["gain95"]
    counts = ", ".join(f"{cell(label)} {count}" for label, count in corpus["labels"].items())
    base, learned_from = (
        training_info["adapted_from"]["name"],
        training_info["adapted_from"]["corpus"].get("name"),
    )
    lines = [
        f"# {name}",
        "",
        cell(note),
        "",
        "| | |",
        "|---|---|",
        f"| classes | {cell(', '.join(labels))} |",
        f"| adapted from | {cell(base)} (trained on {cell(str(learned_from))}) |",
        f"| adapted to | {cell(corpus['name'])}: {corpus['clips']} clips, "
        f"{corpus['speakers']} speakers ({counts}) |",
        f"| terms of the data | {cell(corpus['terms'])}; and those of the model it comes from |",
        "",
        "## Score",
        "",
        f"UAR on held-out {training_info['held_out']}: {training_info['before_UAR']:.3f} before, "
        f"{training_info['after_UAR']:.3f} after; the gain lies between {low_high[0]:+.3f} and "
        f"{low_high[1]:+.3f} (95 %, bootstrap over {training_info['held_out']}). The final weights "
        "know "
        "all of the recordings.",
        "",
        LIMITS,
        "",
    ]
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text of a user's inside a Markdown table."""
    return printable(text).replace("|", "\\|").replace("<", "&lt;")


def _score(training: Mapping[str, Any], evaluation: "RunResult | None") -> list[str]:
    speakers = cell(", ".join(training["validation_speakers"]))
    whom = f"the validation speakers ({speakers}), who"
    if training["corpus"]["speakers"] == 1:
        whom = f"other clips of the only speaker ({speakers}), which"
    optimistic = (
        f"UAR {training['validation_UAR']:.3f} on {whom} also "
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
        rows.append(f"| {score} | {' | '.join(score_cells(evaluation, score))} |")
    own = "the corpus' test speakers, whom this model has not heard either:"
    if evaluation.corpus.clips == training["corpus"]["clips"]:
        own = "unheard speakers of the same corpus (this model itself was trained on all of them):"
    return [
        f"Of the same recipe on {own}",
        "",
        "| score | mean | sd over seeds | 95 % over speakers |",
        "|---|---|---|---|",
        *rows,
        f"| majority (WA) | {evaluation.majority:.3f} | | |",
        "",
        evaluation.protocol,
        "",
        optimistic,
    ]
