"""``affekt reproduce``."""

from pathlib import Path
from typing import Literal

from ..config import Config
from ..errors import AffektError
from ..recipe import read_config
from .app import Cache, Recipe, Settings, app, console, progress, say, say_notes
from .study import Workers


@app.command
def reproduce(
    corpus: Literal["baum1s", "cheavd2"],
    *,
    root: Path,
    out: Path,
    systems: str = "",
    workers: Workers = 1,
    recipe: Recipe = None,
    cache: Cache = None,
    config: Settings = Config(),
) -> None:
    """Compute the paper's tables and figures, under our protocol and under the paper's.

    All systems take many hours on a CPU; --systems vggish-attention-balance,mfcc runs two of them,
    and --seeds 1 takes a third of the time. An interrupted reproduction resumes. For the official
    weights set --weights vggish-10086976.pth.

    Parameters
    ----------
    corpus:
        Corpus of the paper.
    root:
        Folder of the corpus in its owner's layout.
    out:
        Folder of the runs, and of reproduction.html, .md, tables and figures.
    systems:
        Comma-separated names; by default the systems of the paper's tables, and compare-svm,
        default, length and majority.
    """
    from ..corpora.registry import load_corpus
    from ..evaluation.study import chosen_systems
    from ..evaluation.systems.registry import require_effect
    from ..nn.encoders.weights import cache_folder
    from ..paper.experiments import reproduce as run
    from ..paper.experiments import systems_of, used_in_paper
    from ..paper.report import load_results, write_reproduction
    from ..paper.tables import decisions, tables
    from ..report.console import paper_table

    overrides = config.model_dump(exclude_unset=True)
    encoder = {"name": "vggish"} | overrides.get("encoder", {})
    chosen = read_config(recipe, overrides | {"encoder": encoder})
    plan = chosen.balance.plan if "plan" in chosen.balance.model_fields_set else corpus
    if (chosen.encoder.name, plan) != ("vggish", corpus) or chosen.labels:
        raise AffektError(
            "encoder, balance plan and classes are those of the paper; for others use affekt study"
        )
    if chosen.protocol.paper_protocol:
        raise AffektError("reproduce runs both protocols; leave protocol.paper_protocol out")
    known = systems_of(corpus)
    names = chosen_systems(systems) if systems else known
    if unknown := [name for name in names if name not in known]:
        raise AffektError(
            f"--systems {', '.join(unknown)}: not in this reproduction; choose from "
            f"{', '.join(known)}"
        )
    require_effect(config, used_in_paper(names, chosen), ", ".join(names))
    examples = load_corpus(f"{corpus}:{root}", chosen.labels)
    embeddings = cache or cache_folder() / "vectors"
    with progress() as report:
        found = run(examples, names, chosen, out, embeddings, workers, report)
    results = load_results(corpus, found)
    for reason in found.left_out:
        say(f"left out: {reason}")
    say_notes(results.ours[names[0]].metrics)
    for table in tables(results):
        console().print(paper_table(table))
    for remark in (*decisions(results), *results.paper.remarks):
        console().print(f"- {remark}")
    for path in write_reproduction(results, out):
        print(path)
