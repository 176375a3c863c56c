"""Settings that have another name since version 0.2; the old names are read until 0.3."""

from typing import Any

RENAMED = {  # old key: new key
    "audio.level": "audio.normalisation",
    "stage1.rate": "stage1.learning_rate",
    "stage1.head_rate": "stage1.head_learning_rate",
    "stage1.batch": "stage1.batch_size",
    "stage2.rate": "stage2.learning_rate",
    "stage2.batch": "stage2.batch_size",
    "stage2.clip": "stage2.max_grad_norm",
    "note": "intended_use",
    "terms": "license",
}


def renamed_keys(values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
    """Replace old names of settings by today's.

    Args:
        values: Settings as a recipe, a model or a result of an earlier version holds them.

    Returns:
        The settings, and the new name of each old key among them.
    """
    renamed: dict[str, str] = {}
    result = {k: dict(v) if isinstance(v, dict) else v for k, v in values.items()}
    for old, new in RENAMED.items():
        *section, key = old.split(".")
        settings = result.get(section[0]) if section else result
        if isinstance(settings, dict) and key in settings:
            settings[new.split(".")[-1]] = settings.pop(key)
            renamed[old] = new
    protocol = result.get("protocol")
    if isinstance(protocol, dict) and protocol.keys() & {"source", "source_statistics"}:
        source = protocol.pop("source", "fold")
        used = protocol.pop("source_statistics", False)
        protocol["test_normalisation"] = source if used else "none"
        renamed["protocol.source_statistics"] = "protocol.test_normalisation"
    return result, renamed
