"""The paper's experiments on its corpora, under our protocol and under the paper's."""

from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from ..config import Config
from ..corpora.corpus import Corpus
from ..corpora.splits import speaker_folds
from ..errors import AffektError
from ..evaluation.study import is_finished, run_study
from ..evaluation.systems.registry import configured, known_system, used_by
from ..progress import Report
from ..provenance import identity
from ..run_result import FILE
from ..training.balance import summarise
from ..training.clips import load_clips
from ..types import ClassBalance

TABLES_3_AND_4 = (
    "vggish-mean",
    "vggish-attention",
    "vggish-mean-balance",
    "vggish-attention-balance",
)
TABLE_5 = {
    "baum1s": ("mfcc", "alexnet", "alexnet-softmax"),
    "cheavd2": ("gemaps-svm", "resnet", "gemaps-forest"),
}
BEYOND = ("compare-svm", "default", "length", "majority")
SELECTS_EPOCH = (*TABLES_3_AND_4, "alexnet", "alexnet-softmax", "resnet")


class Reproduction(NamedTuple):
    """Folders of the finished runs, and the segments of each class.

    Attributes:
        balance: Segments in the training part of the first fold (Table 1 or 2).
        ours: Folder of each system with a finished run, of this call or an earlier one; epochs
            and settings are selected inside the training part.
        paper_protocol: The same for networks whose epoch is selected on the test fold.
        left_out: Why a finished run of an earlier call is not among them: its data, settings or
            code differ.
    """

    balance: list[ClassBalance]
    ours: dict[str, Path]
    paper_protocol: dict[str, Path]
    left_out: list[str]


def systems_of(name: str) -> list[str]:
    """Systems of the paper's tables on the corpus `name`, then those that the paper lacks."""
    return [*TABLES_3_AND_4, *TABLE_5[name], *BEYOND]


def paper_settings(name: str, system: str, config: Config, *, paper_protocol: bool) -> Config:
    """Settings of a system on a corpus of the paper.

    Args:
        name: Name of the corpus and of its balance plan: ``baum1s`` or ``cheavd2``.
        system: Name of the system.
        config: Settings of the user; the section ``encoder`` is that of VGGish.
        paper_protocol: Whether networks select their epoch on the test fold.
    """
    values = config.model_dump(exclude_unset=True)
    encoder = values.pop("encoder", {})
    if system in TABLES_3_AND_4:
        values["encoder"] = encoder | {"name": "vggish"}
    values["protocol"] = values.get("protocol", {}) | {"paper_protocol": paper_protocol}
    if known_system(system).only.get("balance.plan") != ("none",):
        values["balance"] = values.get("balance", {}) | {"plan": name}
    return configured(system, Config.model_validate(values))


def used_in_paper(systems: Collection[str], config: Config) -> set[str]:
    """Keys of the settings that have an effect on one of the systems in a reproduction.

    Args:
        systems: Names of the systems.
        config: Settings of the user; the section ``encoder`` is that of VGGish.
    """
    used: set[str] = set()
    for name in systems:
        keys = used_by(name, config)
        if name not in TABLES_3_AND_4:
            keys = {key for key in keys if not key.startswith("encoder.")}
        used |= keys
    return used


def reproduce(
    corpus: Corpus,
    systems: list[str],
    config: Config,
    out: Path,
    cache: Path | None,
    workers: int,
    report: Report,
) -> Reproduction:
    """Evaluate the systems that are not finished yet, in ``out/sound`` and ``out/paper_protocol``.

    Args:
        corpus: A corpus of the paper.
        systems: Names of the systems to run.
        config: Settings of the user.
        out: Folder of the reproduction.
        cache: Folder of cached embeddings and features; None for no cache.
        workers: Number of processes.
        report: Called with each step.

    Raises:
        AffektError: As of `run_study`.
    """

    def run(names: list[str], folder: str, paper_protocol: bool) -> dict[str, Path]:
        def settings(name: str) -> Config:
            return paper_settings(corpus.name, name, config, paper_protocol=paper_protocol)

        def matches(name: str) -> bool:  # also a run of an earlier call
            try:
                current = identity(corpus, settings(name), recordings, name)
                return is_finished(out / folder / name, current)
            except AffektError as error:
                if (out / folder / name / FILE).is_file():
                    left_out.append(str(error))
                return False

        run_study(corpus, {n: settings(n) for n in names}, out / folder, cache, workers, report)
        return {n: out / folder / n for n in systems_of(corpus.name) if matches(n)}

    recordings, left_out = corpus.audio_hashes(), list[str]()
    balance = _balance(corpus, config, report)
    networks = [name for name in systems if name in SELECTS_EPOCH]
    ours, as_paper = run(systems, "sound", False), run(networks, "paper_protocol", True)
    return Reproduction(balance, ours, as_paper, left_out)


def _balance(corpus: Corpus, config: Config, report: Report) -> list[ClassBalance]:
    folds = config.protocol.folds or corpus.folds
    test = speaker_folds(corpus.examples, folds, corpus.predefined_folds)[0]
    training = [e for e in corpus.examples if e.speaker not in test]
    lengths = [(c.label, c.seconds) for c in load_clips(training, report)]
    return summarise(corpus.name, lengths)
