"""Adapting a model in a process of its own, which may die without harm to the server."""

import json
import os
import signal
from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..errors import AffektError
from ..worker_process import exit_with_parent

NICE = 5  # requests come first
POLL = 0.2  # s between two looks at whether to stop


def adapt_in_process(
    manifest: Path, base: Path, out: Path, is_stopped: Callable[[], bool]
) -> dict[str, Any]:
    """Adapt a model to the clips of a manifest.

    Args:
        manifest: The clips; embeddings are stored next to it.
        base: Folder of the model to adapt.
        out: New or empty folder of the new model.
        is_stopped: Called every `POLL` seconds; the process is killed if it returns True.

    Returns:
        The fields of `schema.AdaptationResult`.

    Raises:
        AffektError: The model cannot be adapted to them, or the process was stopped.
    """
    context = get_context("spawn")  # this process has threads, which a fork would not copy
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_adapt, args=(sender, manifest, base, out), daemon=True)
    process.start()
    sender.close()
    try:
        while not receiver.poll(POLL):
            if is_stopped():
                process.kill()
        outcome: dict[str, Any] = json.loads(receiver.recv_bytes())
    except EOFError as error:
        raise AffektError("the process that adapted the model was stopped") from error
    finally:
        process.join()
        receiver.close()
    if "error" in outcome:
        raise AffektError(outcome["error"])
    return outcome


def _adapt(sender: Connection, manifest: Path, base: Path, out: Path) -> None:
    """Adapt in this process, and send the outcome as JSON.

    Args:
        sender: Of a pipe to the server.
        manifest: As of `adapt_in_process`.
        base: As of `adapt_in_process`.
        out: As of `adapt_in_process`.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server
    exit_with_parent()
    os.nice(NICE)
    import torch

    from ..corpora.registry import load_corpus
    from ..training.context import TrainingContext
    from ..training.output import adapt_to_folder

    torch.set_num_threads(1)
    outcome: dict[str, Any]
    try:
        context = TrainingContext(embedding_cache=manifest.parent / "embeddings")
        adapted = adapt_to_folder(load_corpus(str(manifest)), str(base), out, context)
        outcome = {
            "labels": adapted.checkpoint.labels,
            "speakers": adapted.speakers,
            "before_UAR": adapted.before,
            "after_UAR": adapted.after,
            "gain95": adapted.gain,
            "held_out": adapted.held_out,
            "notes": adapted.notes(),
        }
    except AffektError as error:
        outcome = {"error": str(error)}
    sender.send_bytes(json.dumps(outcome).encode())
