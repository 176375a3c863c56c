"""Model cards: training data, license, score, protocol and limits of a model."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..plural import counted, size_of
from ..sanitise import printable
from ..types import unit_of
from .console import score_cells

if TYPE_CHECKING:
    from ..run_result import RunResult

LIMITS = """\
## Limits

Emotion recognition makes errors. The model judges how something was said, not what a person
feels. People, cultures and languages differ in how they express emotion, and acted speech differs
from everyday speech. Use the result to search and sort recordings and to look at them more closely.
It must not decide about a person: not on hiring, grading, credit, policing, border control, health
or employment."""


def model_card(
    name: str,
    intended_use: str,
    labels: list[str],
    training: Mapping[str, Any],
    evaluation: "RunResult | None",
) -> str:
    """Model card of a trained model, in Markdown.

    Args:
        name: Name of the model.
        intended_use: What the model is good for and what not.
        labels: Its classes or dimensions.
        training: Record of its training.
        evaluation: Evaluation of the same recipe; None without one.
    """
    corpus = training["corpus"]
    counts = ", ".join(f"{cell(label)} {count}" for label, count in corpus["labels"].items())
    lines = [
        f"# {name}",
        "",
        intended_use,
        "",
        "| | |",
        "|---|---|",
        f"| {'classes' if counts else 'dimensions'} | {cell(', '.join(labels))} |",
        f"| trained on | {_size(corpus)}{f' ({counts})' if counts else ''} |",
        *_data_notes(training),
        f"| license of the data | {corpus['terms']} |",
        f"| encoder | {training['encoder']} |",
        *_balance(training),
        f"| epochs | stage 1: {training['stage1_epochs']}, stage 2: {training['stage2_epochs']} |",
        f"| seed | {training['seed']} |",
        *([f"| confidence | {cell(_calibrated(training))} |"] if counts else []),
        "",
        "## Score",
        "",
        *_score(training, evaluation),
        "",
        LIMITS,
        "",
    ]
    return "\n".join(lines)


def _balance(training: Mapping[str, Any]) -> list[str]:
    """Row of the balance plan; none for dimensions."""
    tiers = training.get("plan", {}).items()
    plan = ", ".join(f"{cell(label)}: {tier}" for label, tier in tiers)
    return [f"| balance plan | {plan} |"] if plan else []


def _calibrated(training: Mapping[str, Any]) -> str:
    """On which speakers or corpora the probabilities were calibrated."""
    who = unit_of(training["validation_speakers"])
    validation = f"calibrated on validation {who}; too high for other speakers and languages"
    runs = {run["known_source"]: run["corpora"] for run in training.get("left_out") or ()}
    texts = [
        f"calibrated on corpora that were left out of training in turn ({', '.join(runs[known])})"
        if known in runs
        else validation
        for known in (False, True)
    ]
    without, with_statistics = texts
    if without == with_statistics:
        return without
    return f"{without}; with normalisation statistics {with_statistics}"


def _size(corpus: Mapping[str, Any]) -> str:
    """Name of a corpus with its numbers of clips and speakers."""
    return f"{cell(corpus['name'])}: {size_of(corpus['clips'], corpus['speakers'])}"


def _data_notes(training: Mapping[str, Any]) -> list[str]:
    """Row of the notes on the corpus, such as what was left out; none without notes."""
    notes = training.get("notes")
    return [f"| notes on the data | {cell('; '.join(notes))} |"] if notes else []


def adapted_card(
    name: str, intended_use: str, labels: list[str], training_info: Mapping[str, Any]
) -> str:
    """Model card of an adapted model, in Markdown.

    Args:
        name: Name of the model.
        intended_use: What the model is good for and what not.
        labels: Its classes.
        training_info: Record of the adaptation.
    """
    corpus, (low, high) = training_info["corpus"], training_info["gain95"]
    counts = ", ".join(f"{cell(label)} {count}" for label, count in corpus["labels"].items())
    base = training_info["adapted_from"]["name"]
    trained_on = training_info["adapted_from"]["corpus"].get("name")
    lines = [
        f"# {name}",
        "",
        cell(intended_use),
        "",
        "| | |",
        "|---|---|",
        f"| classes | {cell(', '.join(labels))} |",
        f"| adapted from | {cell(base)} (trained on {cell(str(trained_on))}) |",
        f"| adapted to | {_size(corpus)} ({counts}) |",
        *_data_notes(training_info),
        f"| license of the data | {cell(corpus['terms'])}; and that of the original model |",
        f"| confidence | calibrated on held-out {training_info['held_out']} of these recordings; "
        "too high for others |",
        "",
        "## Score",
        "",
        f"UAR on held-out {training_info['held_out']}: {training_info['before_UAR']:.3f} before, "
        f"{training_info['after_UAR']:.3f} after; 95 % interval of the gain, by bootstrap over "
        f"{training_info['held_out']}: {low:+.3f} to {high:+.3f}. The final weights were trained "
        "on all recordings.",
        "",
        LIMITS,
        "",
    ]
    return "\n".join(lines)


def cell(text: str) -> str:
    """Text of a user, made harmless for a Markdown table."""
    return printable(text).replace("|", "\\|").replace("<", "&lt;")


def _score(training: Mapping[str, Any], evaluation: "RunResult | None") -> list[str]:
    speakers = cell(", ".join(training["validation_speakers"]))
    validation = f"the validation speakers ({speakers}), who"
    unit = unit_of(training["validation_speakers"])
    if unit == "clips":
        number = counted(len(training["validation_speakers"]), "validation clip")
        validation = f"{number} (speakers are unknown), which"
    elif training["corpus"]["speakers"] == 1:
        validation = f"other clips of the only speaker ({speakers}), which"
    score = "validation_UAR" if "validation_UAR" in training else "validation_CCC"
    optimistic = (
        f"{score[-3:]} {training[score]:.3f} on {validation} also "
        "selected the number of epochs: an optimistic score, not a test."
    )
    if training["refit"]:
        optimistic += " The final weights were trained on them too, for that number of epochs."
    if training["interrupted"]:
        optimistic += " **Training was interrupted**: these are the best weights until then."
    if evaluation is None:
        unseen = "unseen speakers" if unit == "speakers" else "held-out clips"
        return [optimistic, "", f"For a test on {unseen} run `affekt evaluate`."]
    rows = []
    for score in ("WA", "UAR", "macro_f1", "MAP"):
        rows.append(f"| {score} | {' | '.join(score_cells(evaluation, score))} |")
    tested = f"the test {unit} of the corpus, which are unseen by this model too:"
    if evaluation.corpus.clips == training["corpus"]["clips"]:
        tested = f"unseen {unit} of the same corpus (this model was trained on all its {unit}):"
    if not evaluation.corpus.audio:
        optimistic += " The evaluation above did not record the content of its audio and weights."
    return [
        f"Score of the same recipe on {tested}",
        "",
        f"| score | mean | sd over seeds | 95 % over {evaluation.unit} |",
        "|---|---|---|---|",
        *rows,
        f"| majority (WA) | {evaluation.majority:.3f} | | |",
        "",
        evaluation.protocol,
        "",
        *[f"- {cell(note)}" for note in evaluation.notes],
        *([""] if evaluation.notes else []),
        optimistic,
    ]
