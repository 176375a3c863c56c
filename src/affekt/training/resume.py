"""Resume checkpoints: a killed training continues from disk and ends with the same bits."""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from ..atomic import write
from ..errors import AffektError
from ..run_manifest import start_or_resume

METADATA = "state"  # key of the JSON in a checkpoint's metadata


class ResumeCheckpoints:
    """A folder with one file for each stage that was started: tensors and JSON, nothing pickled.

    Each file atomically replaces the one before.

    Args:
        folder: Folder that no other training uses.
        every: Steps between two checkpoints; one is written after each epoch too.
        resume: Continue the unfinished training in the folder, if there is one.
    """

    def __init__(self, folder: Path, every: int = 500, *, resume: bool = False) -> None:
        self.folder = folder
        self.every = every
        self.resume = resume

    @classmethod
    def for_output(
        cls, out: Path, every: int = 500, *, resume: bool = False
    ) -> "ResumeCheckpoints":
        """Checkpoints in ``OUT.unfinished``, next to the model that is trained.

        Args:
            out: Folder of the model.
            every: See the class.
            resume: See the class.
        """
        out = out.resolve()
        return cls(out.with_name(f"{out.name}.unfinished"), every, resume=resume)

    @contextmanager
    def session(self, identity: Mapping[str, Any]) -> Iterator[None]:
        """Use the folder for the duration of a training; delete it when the training is complete.

        Args:
            identity: Data, settings and versions: no other training can continue this one.

        Raises:
            AffektError: There is an unfinished training that may not be continued: of other data,
                settings or code, or because `resume` is False.
        """
        start_or_resume(self.folder, identity, "training", resume=self.resume)
        try:
            yield
        except BaseException:
            if not any(self.folder.glob("*.safetensors")):  # there is nothing to continue from
                shutil.rmtree(self.folder)
            raise
        shutil.rmtree(self.folder)

    def save(self, stage: str, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
        """Write the state of a stage.

        Args:
            stage: Name of the stage, unique in the training.
            tensors: Weights, state of the optimizer, state of torch's random numbers.
            values: All other state, as JSON types.

        Raises:
            AffektError: It cannot be written; the previous checkpoint remains.
        """
        contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}
        metadata = {METADATA: json.dumps(values)}
        write(self.path(stage), partial(_write_file, contiguous, metadata))

    def load(self, stage: str) -> tuple[dict[str, Tensor], dict[str, Any]] | None:
        """Read what `save` wrote; None if the stage was not started.

        Raises:
            AffektError: The file is damaged.
        """
        path = self.path(stage)
        if not path.is_file():
            return None
        try:
            with safe_open(path, "pt") as file:
                values = json.loads(file.metadata()[METADATA])
                return {name: file.get_tensor(name) for name in file.keys()}, values  # noqa: SIM118
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise self.unusable(stage, error) from error

    def path(self, stage: str) -> Path:
        """File of a stage."""
        return self.folder / (re.sub(r"\W+", "-", stage).strip("-") + ".safetensors")

    def unusable(self, stage: str, error: Exception) -> AffektError:
        """The error for a checkpoint that is damaged or of another model."""
        reason = str(error).split("\n")[0]
        return AffektError(
            f"{self.path(stage)}: cannot resume from this file ({reason}); delete it"
        )


def _write_file(tensors: dict[str, Tensor], metadata: dict[str, str], path: Path) -> None:
    try:
        save_file(tensors, path, metadata)
    except SafetensorError as error:  # such as a full disk
        raise OSError(str(error)) from error
