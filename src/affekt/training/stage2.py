"""Stage 2: training of the sequence model on the embeddings of clips (equations 3-9).

The embeddings are computed once by the encoder of stage 1. End to end, the encoder is trained
together with the sequence model.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..config import Config
from ..nn.emotion_model import EmotionModel
from .class_loss import PLAIN, ClassLoss
from .context import TrainingContext
from .datasets import ClipDataset, ClipEncoder, Split, clip_encoder
from .distributed import Distributed
from .targets import Score
from .trainer import History, Stage, Trainer


def train_sequence(model: EmotionModel, split: Split, config: Config, trainer: Trainer) -> History:
    """Train projection and sequence model in place, end to end the encoder too.

    Without validation clips all epochs are run.

    Args:
        model: The model after stage 1.
        split: Training and validation clips.
        config: Settings.
        trainer: Runs the epochs.
    """
    training, validation = split
    settings = config.stage2
    both = config.loss.scope == "both"
    class_loss = training.targets.class_loss(config.loss) if both else PLAIN
    validate = _validation(model, validation, class_loss, config, trainer.context)
    encode = clip_encoder(model, training, config, trainer.context.cache_of(model.encoder))

    def loss(clips: list[int]) -> Tensor:
        embeddings = training.standardise(model, encode(clips), clips)
        logits = model.classify(embeddings).logits
        return training.targets.select(clips).loss(logits, class_loss)

    top = nn.ModuleList([model.projection, model.sequence])
    groups = [{"params": top.parameters(), "lr": settings.learning_rate}]
    if settings.end_to_end:
        groups.append({"params": model.encoder.parameters(), "lr": config.stage1.learning_rate})
    stage = Stage(
        name="stage 2 (end to end)" if settings.end_to_end else "stage 2 (sequence)",
        model=model if settings.end_to_end else top,
        optimizer=torch.optim.Adam(groups, fused=True),
        sizes=[1] * len(training),
        batch_size=settings.batch_size,
        loss=loss,
        validate=validate,
        epochs=settings.epochs,
        patience=settings.patience,
        max_grad_norm=settings.max_grad_norm,
        complete_first_epoch=validation is not None,
    )
    return trainer.fit(stage)


@torch.inference_mode()
def clip_logits(
    model: EmotionModel, dataset: ClipDataset, encode: ClipEncoder, distributed: Distributed
) -> Tensor:
    """Logits ``(clips, classes)`` of all clips of a dataset, without gradients.

    Args:
        model: In evaluation mode.
        dataset: The clips.
        encode: Function from indices of clips to their embeddings.
        distributed: Processes that share the work.
    """
    clips, classes = len(dataset.targets), dataset.targets.outputs
    share = distributed.share(range(clips))
    logits = torch.empty(0, classes)
    if share:
        logits = model.classify(dataset.standardise(model, encode(share), share)).logits
    return torch.cat(distributed.gather(logits.split(1), [1] * clips, classes))


def _validation(
    model: EmotionModel,
    validation: ClipDataset | None,
    class_loss: ClassLoss,
    config: Config,
    context: TrainingContext,
) -> Callable[[], Score] | None:
    """Function that scores the validation clips.

    Args:
        model: The model that is trained.
        validation: The clips, if there are any.
        class_loss: Class weights and focal loss.
        config: Settings.
        context: Embedding cache and processes.
    """
    if validation is None:
        return None
    encode = clip_encoder(model, validation, config, context.cache_of(model.encoder))

    def validate() -> Score:
        logits = clip_logits(model, validation, encode, context.distributed)
        return validation.targets.score(logits, class_loss)

    return validate
