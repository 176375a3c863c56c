"""A training on disk while it runs: after a kill it goes on and ends with the same bits."""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..atomic import write
from ..errors import AffektError
from ..run_manifest import start_or_resume
from .stage import History, Score, Stage, StageState


class ResumeCheckpoints:
    """A folder with one file for each stage that was begun: tensors and JSON, nothing pickled.

    Each is written whole or not at all, over the one before. It holds weights, optimizer and
    random numbers; of a stage that is done, its weights.

    Args:
        folder: Of this training alone.
        every: Steps between two saves; there is one after each epoch too.
        part: What the stages are called before their own names.
    """

    def __init__(self, folder: Path, every: int, part: str = "") -> None:
        self.folder = folder
        self.every = every
        self.part = part

    def of(self, part: str) -> "ResumeCheckpoints":
        """For the stages of one part of the training, which others have too."""
        return ResumeCheckpoints(self.folder, self.every, part)

    def keep(self, stage: Stage, at: StageState) -> None:
        """Write where a stage stands.

        Raises:
            AffektError: It cannot be written; what was saved before is still there.
        """
        tensors = _named("model", stage.model.state_dict())
        if not at.done:
            tensors |= _named("best", at.best or {})
            for i, values in stage.optimizer.state_dict()["state"].items():
                tensors |= _named(f"optimizer.{i}", values)
        tensors["random"] = torch.get_rng_state()
        about = {
            "history": asdict(at.history),
            "losses": at.losses,
            "order": at.order,
            "now": stage.batches.rng.bit_generator.state,
            "done": at.done,
        }
        metadata = {"standing": json.dumps(about)}
        write(self._path(stage), partial(_to_disk, tensors, metadata))

    def restore(self, stage: Stage) -> StageState | None:
        """Give a stage what `keep` wrote, random numbers included; None if it was not begun.

        Raises:
            AffektError: The file is damaged, or of another model.
        """
        path = self._path(stage)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                about = json.loads(file.metadata()["standing"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            stage.model.load_state_dict(_under("model", tensors))
            if not about["done"]:
                _restore_optimizer(stage.optimizer, _under("optimizer", tensors))
            stage.batches.rng.bit_generator.state = about["now"]
            torch.set_rng_state(tensors["random"])
            told = about["history"]
            told["validation"] = [Score(*score) for score in told["validation"]]
            best = _under("best", tensors) or None
            return StageState(History(**told), about["losses"], about["order"], best, about["done"])
        except (SafetensorError, RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = str(error).split("\n")[0]
            raise AffektError(f"{path}: cannot be gone on with ({reason}); delete it") from None

    def _path(self, stage: Stage) -> Path:
        name = re.sub(r"\W+", "-", f"{self.part} {stage.name}").strip("-")
        return self.folder / f"{name}.safetensors"


@contextmanager
def kept(
    folder: Path, identity: dict[str, Any], every: int, *, resume: bool, first: bool
) -> Iterator[ResumeCheckpoints]:
    """The folder in which a training is kept until it is done; then it is taken away.

    Args:
        folder: Beside the model that will be.
        identity: Data, settings and versions; another training never goes on with this one.
        every: Steps between two saves.
        resume: Go on with what is there, if anything; without it there must be nothing.
        first: Of several processes, the one that writes.

    Raises:
        AffektError: There is an unfinished training and `resume` was not asked for, or it is
            of other data, settings or code.
    """
    checkpoints = ResumeCheckpoints(folder, every)
    if not first:
        yield checkpoints
        return
    start_or_resume(folder, identity, "training", resume=resume)
    try:
        yield checkpoints
    except BaseException:
        if not any(folder.glob("*.safetensors")):  # nothing to go on with
            shutil.rmtree(folder)
        raise
    shutil.rmtree(folder)


def _to_disk(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:  # what it says of a full disk
        raise OSError(str(error)) from None


def _named(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor.contiguous() for name, tensor in tensors.items()}


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    start = f"{prefix}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def _restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, key = name.split(".", 1)
        state.setdefault(int(number), {})[key] = tensor
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})
