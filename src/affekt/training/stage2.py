"""Stage 2: training of the sequence model on the embeddings of clips (equations 3-9).

The embeddings are computed once by the encoder of stage 1. End to end, the encoder is trained
together with the sequence model.
"""

from collections.abc import Callable

import torch
from accelerate import PartialState
from torch import Tensor, nn

from ..config import Config
from ..nn.emotion_model import EmotionModel
from .class_loss import PLAIN, ClassLoss
from .context import TrainingContext
from .datasets import ClipDataset, ClipEncoder, Split, clip_encoder
from .embedding_cache import blocks
from .processes import gather, share
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
        targets = training.targets.select(clips).to(model.device)
        return targets.loss(model.classify(embeddings).logits, class_loss)

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
        precision=config.precision,
    )
    return trainer.fit(stage)


@torch.inference_mode()
def clip_logits(
    model: EmotionModel, dataset: ClipDataset, encode: ClipEncoder, processes: PartialState
) -> Tensor:
    """Logits ``(clips, classes)`` of all clips of a dataset, without gradients, on the CPU.

    Args:
        model: In evaluation mode.
        dataset: The clips.
        encode: Function from indices of clips to their embeddings.
        processes: Processes that share the work.
    """
    clips, classes = len(dataset.targets), dataset.targets.outputs
    own = share(range(clips), processes)
    logits = [torch.empty(0, classes)]
    for block in blocks(len(dataset.stage2_spans[i]) for i in own):
        some = [own[i] for i in block]
        logits.append(model.classify(dataset.standardise(model, encode(some), some)).logits.cpu())
    return torch.cat(gather(torch.cat(logits).split(1), [1] * clips, classes, processes))


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
        logits = clip_logits(model, validation, encode, context.processes)
        return validation.targets.score(logits, class_loss)

    return validate
