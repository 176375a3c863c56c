"""Use of an exported model with onnxruntime."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..audio.recording import Recording
from ..errors import CheckpointError
from ..extras import optional_import
from ..nn.training_info import TrainingInfo


class OnnxModel:
    """A model in an ONNX file.

    Args:
        path: A file that ``affekt export`` wrote.

    Attributes:
        name: Name of the model that was exported.
        labels: Class names in the order of the probabilities.
        training: Record of the training data in the metadata; None for files of version 0.1.

    Raises:
        CheckpointError: The file does not exist or is not of ``affekt export``.
        MissingExtraError: onnxruntime is not installed.
    """

    def __init__(self, path: Path) -> None:
        with optional_import("an ONNX model"):
            import onnxruntime
        if not path.is_file():
            raise CheckpointError(f"{path}: no such file")
        try:
            self._session = onnxruntime.InferenceSession(path.read_bytes())
            metadata = self._session.get_modelmeta().custom_metadata_map
            self.labels: list[str] = json.loads(metadata["labels"])
            self.name: str = metadata["model"]
        except Exception as error:  # onnxruntime's errors share no base class
            raise CheckpointError(f"{path}: not a file of affekt export ({error})") from error
        training = metadata.get("training")
        self.training = TrainingInfo.model_validate_json(training) if training else None

    how = "; each is recognised as a whole, pauses included"

    def predict(
        self, recordings: Sequence[Recording]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Recognise recordings.

        Returns:
            Probabilities ``(recordings, classes)``, and whether each recording is speech.
        """
        lengths = np.array([len(r.wave) for r in recordings])
        waves = np.zeros((len(recordings), lengths.max()), np.float32)
        for row, recording in zip(waves, recordings, strict=True):
            row[: len(recording.wave)] = recording.wave
        inputs = {"waves": waves, "lengths": lengths}
        probabilities, speech = self._session.run(["probabilities", "speech"], inputs)
        return probabilities.astype(np.float64), speech
