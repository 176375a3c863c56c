"""Results and progress on the terminal."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from ..nn.speech_gate import UNCERTAIN
from ..progress import Event
from ..sanitise import printable
from ..types import ClassBalance, Prediction, Segment

if TYPE_CHECKING:
    from ..dimension_result import DimensionResult
    from ..evaluation.audit.findings import Finding
    from ..paper.tables import Table as PaperTable
    from ..run_result import RunResult

STYLES = {
    "anger": "red", "disgust": "green", "fear": "magenta", "happiness": "yellow",
    "sadness": "blue", "surprise": "bright_yellow", "boredom": "cyan",
}  # fmt: skip
FINDING_STYLES = {
    "serious": "bold red", "suspicion": "magenta", "note": "yellow", "unchecked": "cyan",
}  # fmt: skip
BLOCKS = " ▁▂▃▄▅▆▇█"
WIDTH = 30


def prediction_view(prediction: Prediction) -> RenderableType:
    """Label and probabilities of a recording of one utterance, and its timeline with attention."""
    style = STYLES.get(prediction.label, "bold")
    head = Text.assemble(
        (printable(prediction.file), "bold"),
        f"  {prediction.file_duration or prediction.duration:.2f} s  ",
        (printable(prediction.label), f"bold {style}"),
    )
    if prediction.rejection_reason:
        head.append(f"  ({prediction.rejection_reason})")
    table = Table.grid(padding=(0, 1))
    for name, value in prediction.dimensions.items():
        table.add_row(Text(printable(name)), f"{value:.3g}")
    for label, p in sorted(prediction.probabilities.items(), key=lambda item: -item[1]):
        table.add_row(
            Text(printable(label)),
            f"{p:4.0%}",
            Text("█" * round(p * WIDTH), STYLES.get(label, "white")),
        )
    parts: list[RenderableType] = [head]
    if prediction.segments:
        parts.append(Padding(table, (0, 2)))
    if prediction.segments and prediction.probabilities:
        parts += [
            Text("  over time, with attention:", "dim"),
            Padding(_timeline(prediction), (0, 2)),
        ]
    parts += [Text(f"  warning: {w}", "yellow") for w in prediction.warnings]
    return Group(*parts)


def utterance_line(prediction: Prediction) -> Text:
    """An utterance of a recording: its time, emotion and probability."""
    start, end = prediction.start, prediction.start + prediction.duration
    who = f"[{prediction.channel}] " if prediction.channel else ""
    line = Text(f"{who}{_clock(start)} - {_clock(end)}  ")
    if prediction.speaker:
        line.append(f"{printable(prediction.speaker):<11}")
    if prediction.rejection_reason:
        return line.append(f"{prediction.label}  ({prediction.rejection_reason})", "dim")
    if values := prediction.dimensions.items():
        return line.append(", ".join(f"{printable(name)} {value:.3g}" for name, value in values))
    style = STYLES.get(prediction.label, "bold")
    line.append(f"{printable(prediction.label):<10}", style)
    line.append(f" {prediction.confidence:4.0%}")
    if second := prediction.second_label:
        line.append(f"  or {printable(second)} {prediction.probabilities[second]:.0%}", "dim")
    return line


def moment_line(segment: Segment) -> Text:
    """A segment of live speech: its time, emotion and probability, also as a bar."""
    line = Text(f"{_clock(segment.end):>9}  ")
    if segment.label == UNCERTAIN:
        return line.append("-", "dim")
    style = STYLES.get(segment.label, "bold")
    probability = segment.probabilities[segment.label]
    line.append(f"{printable(segment.label):<10} {probability:4.0%} ", style)
    return line.append("█" * round(probability * WIDTH), style)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes) // 60}:{int(minutes) % 60:02}:{rest:04.1f}"


def _timeline(prediction: Prediction, most: int = 12) -> Table:
    """One row for each run of segments with the same label, with their attention."""
    table = Table.grid(padding=(0, 1))
    table.add_column(justify="right")
    segments, edges = prediction.segments, prediction.edges()
    highest = max(s.attention for s in segments)
    runs = [list(g) for _, g in groupby(range(len(segments)), lambda i: segments[i].label)]
    for run in runs[:most]:
        label = segments[run[0]].label
        marks = (BLOCKS[round(8 * segments[i].attention / highest)] for i in run[:WIDTH])
        times = f"{edges[run[0]]:.2f} - {edges[run[-1] + 1]:.2f} s"
        table.add_row(times, Text(printable(label), STYLES.get(label, "white")), "".join(marks))
    if len(runs) > most:
        table.add_row("...", f"{len(runs) - most} more; see --json or --plot")
    return table


def balance_table(rows: Sequence[ClassBalance]) -> Table:
    """The balance plan: segments of each class before and after (the paper's Tables 1 and 2)."""
    table = Table(box=None, header_style="bold")
    table.add_column("class")
    for name in ("clips", "segments before", "after"):
        table.add_column(name, justify="right")
    table.add_column("rule")
    for row in rows:
        table.add_row(
            Text(printable(row.label)), str(row.clips), str(row.before), str(row.after), row.rule
        )
    columns = zip(*((row.clips, row.before, row.after) for row in rows), strict=True)
    ratios = (f"{max(counts) / min(counts):.2f}" for counts in columns)
    table.add_row("largest / smallest", *ratios, style="dim")
    return table


def score_table(metrics: "RunResult") -> RenderableType:
    """The scores of an evaluation with their intervals, and those of majority and chance."""
    table = Table(box=None, header_style="bold")
    for name in ("score", "mean", "sd over seeds", f"95 % over {metrics.unit}"):
        table.add_column(name, justify="left" if name == "score" else "right")
    for name in ("WA", "UAR", "macro_f1", "MAP"):
        table.add_row(name, *score_cells(metrics, name))
    if soft := metrics.soft:
        for name in ("cross_entropy", "kl_divergence"):
            interval = _interval(soft.ci95[name])
            table.add_row(f"{name} (soft)", f"{getattr(soft, name):.3f}", "", interval)
    table.add_row("majority (WA)", f"{metrics.majority:.3f}", style="dim")
    table.add_row("chance (UAR)", f"{metrics.chance_UAR:.3f}", style="dim")
    return table


def dimension_table(result: "DimensionResult") -> RenderableType:
    """CCC and RMSE of each dimension with their intervals."""
    table = Table(box=None, header_style="bold")
    for name in ("dimension", "score", "mean", "sd over seeds", f"95 % over {result.unit}"):
        table.add_column(name, justify="left" if name in ("dimension", "score") else "right")
    for name, own in result.dimensions.items():
        for score, value in (("CCC", own.CCC), ("RMSE", own.RMSE)):
            sd = own.sd[score]
            cells = f"{value:.3f}", "-" if sd is None else f"{sd:.3f}", _interval(own.ci95[score])
            table.add_row(Text(printable(name)), score, *cells)
        mean = f"{own.target_sd:.3f}"
        table.add_row(Text(printable(name)), "RMSE of the mean", mean, style="dim")
    return table


def score_cells(metrics: "RunResult", name: str) -> tuple[str, str, str]:
    """Mean, standard deviation over seeds, and 95 % interval; "-" where undefined."""
    sd, interval = metrics.sd[name], metrics.ci95[name]
    return (
        f"{metrics.score(name):.3f}",
        "-" if sd is None else f"{sd:.3f}",
        _interval(interval),
    )


def _interval(bounds: tuple[float, float] | None) -> str:
    return "-" if bounds is None else f"{bounds[0]:.3f} - {bounds[1]:.3f}"


def study_table(rows: "Sequence[tuple[str, RunResult]]") -> RenderableType:
    """One row for each system, the highest UAR first.

    Args:
        rows: Title and result of each system.
    """
    table = Table(box=None, header_style="bold")
    for name in ("system", "UAR", "sd over seeds", f"95 % over {rows[0][1].unit}", "WA"):
        table.add_column(name, justify="left" if name == "system" else "right")
    for title, row in sorted(rows, key=lambda pair: -pair[1].UAR):
        table.add_row(Text(printable(title)), *score_cells(row, "UAR"), f"{row.WA:.3f}")
    table.add_row("majority (WA)", "", "", "", f"{rows[0][1].majority:.3f}", style="dim")
    return table


def paper_table(table: "PaperTable") -> RenderableType:
    """A table of the paper with our results."""
    shown = Table(box=None, header_style="bold", title=table.title, title_justify="left")
    for number, name in enumerate(table.head):
        shown.add_column(name, justify="right" if number else "left")
    for row in table.rows:
        shown.add_row(*(Text(printable(text)) for text in row))
    return Group(shown, *(Text(note, "dim") for note in table.notes), "")


def finding_list(findings: "Sequence[Finding]") -> RenderableType:
    """The findings of an audit, serious ones first, then the checks that could not be made."""
    order = list(FINDING_STYLES)
    lines: list[RenderableType] = []
    for f in sorted(findings, key=lambda f: order.index(f.severity)):
        name = "not checked" if f.severity == "unchecked" else f.severity
        head = (f"{name:11}", FINDING_STYLES[f.severity])
        lines.append(Text.assemble(head, f" {f.kind}: {printable(f.text)}"))
        lines += [Text(f"{'':14}{printable(case)}", "dim") for case in f.evidence]
    if all(f.severity == "unchecked" for f in findings):
        lines.insert(0, Text("nothing found in the checks made", "green"))
    return Group(*lines)


class ProgressBars:
    """Progress bars: one for folds or systems, one for the current stage."""

    def __init__(self, console: Console) -> None:
        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", style="dim"),
            console=console,
            transient=True,
        )
        self.tasks: dict[bool, tuple[Any, str]] = {}

    def __enter__(self) -> "ProgressBars":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def __call__(self, event: Event) -> None:
        """Show an event; a new stage replaces the bar of the previous one."""
        outer = event.stage in ("folds", "systems", "trials")
        task, stage = self.tasks.get(outer, (None, ""))
        if stage != event.stage:
            if task is not None:
                self.progress.remove_task(task)
            task = self.progress.add_task(escape(event.stage), total=event.total, note="")
            self.tasks[outer] = task, event.stage
        self.progress.update(task, completed=event.done, total=event.total, note=event.note)


class ProgressLines:
    """Progress as lines for a log: one for each stage that has ended."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.last: Event | None = None

    def __enter__(self) -> "ProgressLines":
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()

    def __call__(self, event: Event) -> None:
        """Take an event; print the previous one if its stage has ended."""
        if self.last is not None and self.last.stage != event.stage:
            self._flush()
        self.last = event

    def _flush(self) -> None:
        if self.last is not None:
            stage, done, total, note = self.last
            self.console.print(Text(f"{stage}: {done}/{total} {note}".rstrip()))
