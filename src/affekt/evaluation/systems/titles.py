"""Names of systems in tables, with the settings that tell them apart."""

from pathlib import Path

from ...config import Config, Encoder, Loss
from ...own_parts import is_dotted_path, split_path
from .registry import known_system


def title(name: str, config: Config) -> str:
    """Name of a system in tables.

    Args:
        name: Name of the system.
        config: Settings, as `configured` returns them.

    Raises:
        AffektError: No such system.
    """
    encoder, balance, stage2 = config.encoder, config.balance, config.stage2
    entry = known_system(name)
    end = _loss_title(config.loss) + (["end to end"] if stage2.end_to_end else [])
    both = ["stage 2 balanced too"] if balance.plan != "none" and balance.scope == "both" else []
    if entry.title and not entry.is_of_paper:
        return ", ".join([entry.title, *both])
    if encoder.vggish_width != 1:
        end.append(f"width {encoder.vggish_width:g}")
    if encoder.weights == "distilled":
        end.append("distilled")
    if entry.title:
        peephole = ["peephole cell"] if stage2.cell == "peephole" else []
        frozen = ["frozen encoder"] if config.stage1.freeze else []
        return ", ".join([entry.title, *peephole, *frozen, *both, *end])
    cell = {"lstm": "LSTM + ", "peephole": "peephole LSTM + ", "none": ""}[stage2.cell]
    plan = "no balance" if balance.plan == "none" else f"balance {balance.plan}"
    own_pooling = is_dotted_path(stage2.pooling)
    pooling = split_path(stage2.pooling)[1] if own_pooling else stage2.pooling
    return ", ".join([f"{_encoder_title(encoder)} + {cell}{pooling}", plan, *both, *end])


def _loss_title(loss: Loss) -> list[str]:
    """Class weights and focal loss in the title of a system."""
    where = " in stage 1" if loss.scope == "encoder" else ""
    parts = [f"class weights {loss.class_weights}{where}"] if loss.class_weights != "none" else []
    return parts + ([f"focal loss {loss.focal_gamma:g}{where}"] if loss.focal_gamma else [])


def _encoder_title(encoder: Encoder) -> str:
    """An encoder with its layer."""
    if is_dotted_path(encoder.name):
        return split_path(encoder.name)[1]
    if encoder.name == "vggish":
        return "VGGish"
    if encoder.name == "ssl":
        name = Path(encoder.weights or encoder.name).name
        return f"{name}, mix of layers" if encoder.mix else f"{name} layer {encoder.layer}"
    beside = " and CAM++" if encoder.name == "whisper+campplus" else ""
    return f"Whisper layer {encoder.layer}{beside}"
