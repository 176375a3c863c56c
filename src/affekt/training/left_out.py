"""How sure a model of several corpora may be of one that it has not heard.

Held-out speakers of known corpora look too easy for that. An evaluation that left each corpus out
in turn tells what remains of the confidence elsewhere.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from ..config import Config, Protocol
from ..errors import AffektError
from ..nn.training_info import LeftOut
from ..run_result import load_run_result
from .calibration import temperature
from .targets import Targets


def left_out(run: Path, config: Config) -> LeftOut:
    """Temperatures by the predictions of ``affekt evaluate A --others B ...``.

    Each corpus that was left out has its own, by maximum likelihood over all seeds; a new corpus
    is given their geometric mean.

    Raises:
        AffektError: Not such a run, or one with other settings.
    """
    try:
        result = load_run_result(run)
        table = pd.read_parquet(run / "predictions.parquet")
        used = result.settings
        groups = [{s.partition("/")[0] for s in f.test_speakers} for f in result.folds]
    except (AffektError, OSError, ValueError) as error:
        raise AffektError(f"{run}: not a run of affekt evaluate ({error})") from error
    names = [name for group in groups for name in group]
    if len(groups) < 3 or len(set(names)) != len(groups) or len(names) != len(groups):
        raise AffektError(f"{run}: does not leave each of three or more corpora out in turn")
    plain = {"protocol": Protocol(), "intended_use": "", "license": ""}
    if used.model_copy(update=plain) != config.model_copy(update=plain):
        raise AffektError(f"{run}: was made with other settings")
    columns = [c for c in table.columns if c.startswith("prob_")]
    labels = [c.removeprefix("prob_") for c in columns]
    best = {}
    for fold, name in enumerate(names):
        rows = table[table["fold"] == fold]
        logits = torch.from_numpy(np.log(rows[columns].to_numpy(np.float64) + 1e-12))
        targets = torch.tensor([labels.index(label) for label in rows["label"]])
        best[name] = temperature(
            logits, Targets(targets, torch.ones(logits.shape, dtype=torch.bool))
        )
    mean = float(np.exp(np.mean(np.log(list(best.values())))))
    known_source = used.protocol.test_normalisation != "none"
    return LeftOut(temperature=mean, known_source=known_source, corpora=best)
