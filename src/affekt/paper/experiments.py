"""The paper's experiments on one of its corpora, under a sound protocol and under its own."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from ..config import Config
from ..corpora.corpus import Corpus
from ..corpora.splits import speaker_folds
from ..errors import AffektError
from ..evaluation.study import is_finished, run_study
from ..evaluation.systems.registry import configured
from ..progress import Report
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
CHOOSES_EPOCH = (*TABLES_3_AND_4, "alexnet", "alexnet-softmax", "resnet")


class Reproduction(NamedTuple):
    """Where the runs are, and what the balance plan did.

    Attributes:
        balance: Of the training part of the first fold (Table 1 or 2).
        sound: Folder of each system that is finished, by this call or an earlier one; every
            choice inside the training part.
        peeked: The same of the networks, their epoch chosen on the test fold.
    """

    balance: list[ClassBalance]
    sound: dict[str, Path]
    peeked: dict[str, Path]


def systems_of(name: str) -> list[str]:
    """The systems of the paper's tables on the corpus `name`, then ours beside them."""
    return [*TABLES_3_AND_4, *TABLE_5[name], *BEYOND]


def paper_settings(name: str, system: str, config: Config, *, peek: bool) -> Config:
    """What a system of the paper is run with on its corpus `name`.

    Args:
        name: ``baum1s`` or ``cheavd2``, also the name of the balance plan.
        system: Its name in the study.
        config: The user's settings; its encoder section is that of VGGish.
        peek: Choose the epoch on the test fold.
    """
    values = config.model_dump(exclude_unset=True)
    encoder = values.pop("encoder", {})
    if system in TABLES_3_AND_4:
        values["encoder"] = encoder | {"name": "vggish"}
    values["protocol"] = values.get("protocol", {}) | {"paper_protocol": peek}
    own = configured(system, Config.model_validate(values))
    if own.balance.plan == "none":
        return own
    return own.model_copy(update={"balance": own.balance.model_copy(update={"plan": name})})


def reproduce(
    corpus: Corpus,
    systems: list[str],
    config: Config,
    out: Path,
    cache: Path | None,
    workers: int,
    report: Report,
) -> Reproduction:
    """Run what is not finished yet, below ``out/sound`` and ``out/paper_protocol``.

    Raises:
        AffektError: As of `run_study`.
    """

    def run(names: list[str], folder: str, peek: bool) -> dict[str, Path]:
        chosen: Mapping[str, Config] = {
            name: paper_settings(corpus.name, name, config, peek=peek) for name in names
        }
        run_study(corpus, chosen, out / folder, cache, workers, report)
        everything = {name: out / folder / name for name in systems_of(corpus.name)}
        return {n: f for n, f in everything.items() if _matches(f, corpus, config, n, peek)}

    balance = _balance(corpus, config, report)
    networks = [name for name in systems if name in CHOOSES_EPOCH]
    sound, peeked = run(systems, "sound", False), run(networks, "paper_protocol", True)
    return Reproduction(balance, sound, peeked)


def _matches(folder: Path, corpus: Corpus, config: Config, name: str, peek: bool) -> bool:
    """Whether an earlier call, too, left a run of this study."""
    try:
        return is_finished(folder, corpus, paper_settings(corpus.name, name, config, peek=peek))
    except AffektError:
        return False


def _balance(corpus: Corpus, config: Config, report: Report) -> list[ClassBalance]:
    folds = config.protocol.folds or corpus.folds
    test = speaker_folds(corpus.examples, folds, corpus.predefined_folds)[0]
    training = [u for u in corpus.examples if u.speaker not in test]
    lengths = [(c.label, c.seconds) for c in load_clips(training, report)]
    return summarise(corpus.name, lengths)
