"""config.json of a model folder."""

import json
from pathlib import Path
from typing import Any

from pydantic import AliasChoices, Field, ValidationError, model_validator

from ..config import DISTILLED_LICENSE, Config, explain
from ..errors import CheckpointError
from .training_info import Record, TrainingInfo

FORMAT = 2
FILE = "config.json"


class ModelConfig(Record):
    """Content of config.json.

    Attributes:
        format: Version of the format of the folder.
        affekt: Version of affekt that wrote it.
        name: Name of the model in results.
        labels: Class names in the order of the logits; none for dimensions.
        dimensions: Names of the outputs, where these are values and not classes.
        intended_use: What the model is good for and what not ("note" before version 0.2).
        encoder_origin: Where the encoder's weights came from.
        packaged_encoder: Hash of the bundled encoder, whose weights are not stored again.
        architecture: What is needed to build the encoder without its weights.
        training: How the model was trained.
        config: Settings that it was trained with.
    """

    format: int = FORMAT
    affekt: str = ""
    name: str = ""
    labels: list[str]
    dimensions: list[str] = Field(default_factory=list)
    intended_use: str = Field("", validation_alias=AliasChoices("intended_use", "note"))
    encoder_origin: str
    packaged_encoder: str = ""
    architecture: dict[str, Any] = Field(default_factory=dict)
    training: TrainingInfo = TrainingInfo()
    config: Config

    @property
    def outputs(self) -> int:
        """Number of outputs."""
        return len(self.labels) + len(self.dimensions)

    @model_validator(mode="after")
    def _has_outputs(self) -> "ModelConfig":
        if not self.outputs:
            raise ValueError("it has neither labels nor dimensions")
        return self

    def to_json(self) -> dict[str, Any]:
        """Content of the file; settings at their defaults are written, too."""
        return super().to_json() | {"config": self.config.model_dump(mode="json")}

    @property
    def license(self) -> str:
        """What the model may be used for: as its config states, or else as its corpora do."""
        corpus = self.training.corpus
        license = corpus.license if corpus else ""
        if self.config.encoder.weights == "distilled":
            license = f"{license} Distilled VGGish: {DISTILLED_LICENSE}.".strip()
        return self.config.license or license


def read_model_config(folder: Path) -> ModelConfig:
    """Read config.json of a model folder, of this version or an earlier one.

    Raises:
        CheckpointError: There is no model, or the file is damaged, of another program, or of a
            newer affekt.
    """
    path = folder / FILE
    if not path.is_file():
        raise CheckpointError(f"{folder}: no model here ({FILE} is missing)")
    try:
        values = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder}: damaged model ({error})") from error
    if not isinstance(values, dict) or "format" not in values:
        raise CheckpointError(f"{folder}: config.json is not of an affekt model")
    if values["format"] != FORMAT:
        raise CheckpointError(
            f"{folder}: model format {values['format']}, this affekt reads {FORMAT}; update affekt"
        )
    try:
        config = Config.model_validate(values.get("config"))
        return ModelConfig.model_validate({"name": folder.name} | values | {"config": config})
    except ValidationError as error:
        raise CheckpointError(f"{folder}: {FILE}: {explain(error)}") from error
