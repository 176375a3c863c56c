"""The commands: the only place that prints.

Heavy imports stand inside the commands, so that ``--help`` answers at once.
"""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from . import __version__
from .config import Config, read_config
from .errors import AffektError, AudioError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import Console

    from .audio import Recording
    from .progress import Report
    from .types import Prediction

app = App(
    name="affekt",
    version=__version__,
    help="Recognise emotion in natural speech. It errs; it must not decide about people.",
)
Source = Annotated[
    str, Parameter(help="Manifest CSV (path, label, speaker) or corpus:FOLDER, such as emodb:DIR.")
]
Recipe = Annotated[Path | None, Parameter(help="TOML file of settings; options override it.")]
Cache = Annotated[
    Path | None,
    Parameter(help="Folder of segment vectors; $AFFEKT_CACHE/vectors or ~/.cache/affekt/vectors."),
]
Settings = Annotated[Config, Parameter(name="*")]


@app.command
def predict(
    *files: str,
    model: str = "default",
    as_json: Annotated[bool, Parameter(name="--json", negative="")] = False,
    plot: Path | None = None,
) -> int:
    """Recognise the emotion of recordings.

    Parameters
    ----------
    files:
        wav, flac, ogg, opus, mp3, aiff; m4a, mp4, webm, avi with the extra media.
    model:
        Name of a bundled model, or a model folder.
    as_json:
        Print one JSON object a line.
    plot:
        Picture of waveform, emotion over time and attention (png, pdf, svg). With several
        files the name of each is added.
    """
    if not files:
        raise AffektError("predict needs a recording: affekt predict call.wav")
    from . import audio
    from .recognizer import load

    recognizer = load(model)
    failed = 0
    pictures: list[Path] = []
    for file in files:
        try:
            recording = audio.read(file)
        except AudioError as error:
            failed += 1
            complain(error)
            continue
        [prediction] = recognizer.recognise([recording])
        _show(prediction, as_json)
        if plot:
            pictures.append(_named(plot, file, pictures) if len(files) > 1 else plot)
            _picture(prediction, recording, pictures[-1])
    if failed < len(files):
        say(f"{recognizer.name}: {recognizer.note}")
    return 2 if failed else 0


def _named(plot: Path, file: str, taken: list[Path]) -> Path:
    """The picture of one of several files; files of the same name are numbered."""
    stem = f"{plot.stem}-{Path(file).stem}"
    path, number = plot.with_stem(stem), 2
    while path in taken:
        path, number = plot.with_stem(f"{stem}-{number}"), number + 1
    return path


def _show(prediction: "Prediction", as_json: bool) -> None:
    if as_json:
        print(json.dumps(prediction.to_dict(), ensure_ascii=False), flush=True)
        return
    from .report.console import prediction_view

    _console().print(prediction_view(prediction))


def _picture(prediction: "Prediction", recording: "Recording", path: Path) -> None:
    from .report import plots

    _save(plots.recognition(prediction, recording.wave), path)


def _save(figure: "Figure", path: Path) -> None:
    from .report import plots

    replaced = " (replaced)" if path.exists() else ""
    plots.save(figure, path)
    say(f"picture: {path}{replaced}")


@app.command
def balance(
    source: Source,
    *,
    recipe: Recipe = None,
    plot: Path | None = None,
    config: Settings = Config(),
) -> None:
    """Show how densely each class would be cut for training, and what that gives.

    Parameters
    ----------
    plot:
        Picture of the plan and the counts (the paper's Figures 2 and 3).
    """
    from .corpora import load_corpus
    from .training.balance import summarise
    from .training.data import audio_warnings, load_clips

    settings = _settings(recipe, config)
    corpus = load_corpus(source, settings.labels).training()
    with _progress() as report:
        clips = load_clips(corpus.utterances, report)
    summary = summarise(settings.balance.plan, [(c.label, c.seconds) for c in clips])
    from .report.console import balance_table

    _console().print(f"balance plan {settings.balance.plan}", highlight=False)
    _console().print(balance_table(summary))
    _tell_odd(audio_warnings(clips))
    if plot:
        from .report import plots

        _save(plots.balance(summary, f"{corpus.name}, plan {settings.balance.plan}"), plot)


@app.command
def train(
    source: Source,
    *,
    out: Path,
    recipe: Recipe = None,
    evaluation: Path | None = None,
    cache: Cache = None,
    config: Settings = Config(),
) -> int:
    """Train a model on a corpus, less what it marks test. Ctrl-C keeps the best epoch so far.

    Parameters
    ----------
    out:
        New folder for the model.
    evaluation:
        metrics.json of an evaluation with the same corpus and settings, for the card.
    """
    from .corpora import load_corpus
    from .encoders.weights import cache_folder
    from .training.folder import train_folder

    settings = _settings(recipe, config)
    corpus = load_corpus(source, settings.labels)
    cache = cache or cache_folder() / "vectors"
    with _progress() as report:
        trained = train_folder(
            corpus,
            settings,
            out,
            cache=cache,
            evaluation=evaluation,
            report=report,
        )
    if trained.interrupted:
        say(f"interrupted; the best epoch so far is in {out}")
        return 130
    print(f"model: {out}, classes {', '.join(trained.labels)}; its card is {out / 'README.md'}")
    print(f"try it: affekt predict FILE --model {out}")
    return 0


@app.command
def evaluate(
    source: Source,
    *,
    out: Path,
    recipe: Recipe = None,
    cache: Cache = None,
    config: Settings = Config(),
) -> None:
    """Score the system on unheard speakers: folds by speaker, several seeds, nested selection.

    Parameters
    ----------
    out:
        New folder for metrics.json, predictions.parquet and confusion.png.
    """
    from .corpora import load_corpus
    from .encoders.weights import cache_folder
    from .experiments.methods import PaperMethod
    from .experiments.runner import evaluate as run
    from .report import plots
    from .report.console import score_table

    settings = _settings(recipe, config)
    corpus = load_corpus(source, settings.labels)
    vectors = cache or cache_folder() / "vectors"
    with _progress() as report:
        metrics = run(corpus, lambda: PaperMethod(settings, vectors), settings, out, report)
    title = f"{corpus.name}: UAR {metrics['UAR']:.3f}, {metrics['seeds']} seeds pooled"
    plots.save(plots.confusion(**metrics["confusion"], title=title), out / "confusion.png")
    _console().print(score_table(metrics))
    _tell_odd(metrics["audio_warnings"])
    print(f"results: {out}")


def _tell_odd(warnings: dict[str, list[str]]) -> None:
    """Count the recordings of a corpus that sound odd, and show one."""
    if warnings:
        name, reasons = next(iter(warnings.items()))
        say(f"{len(warnings)} recordings with warnings, for instance {name}: {'; '.join(reasons)}")


def _settings(recipe: Path | None, config: Config) -> Config:
    """The recipe, and over it what was set on the command line."""
    return read_config(recipe, config.model_dump(exclude_unset=True))


def _console(stderr: bool = False) -> "Console":
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=not stderr)


@contextmanager
def _progress() -> Iterator["Report"]:
    from .report.console import ProgressBars, ProgressLines

    console = _console(stderr=True)
    with (ProgressBars if console.is_terminal else ProgressLines)(console) as report:
        yield report


def say(text: str) -> None:
    """One line on standard error, whatever characters a file's name may hold."""
    line = " ".join(text.split())
    print("".join(c if c.isprintable() else "?" for c in line), file=sys.stderr)


def complain(problem: object) -> None:
    """Say what went wrong."""
    say(f"affekt: {problem}")
