"""``affekt bench``."""

from typing import Annotated

from cyclopts import Parameter, validators

from ..plural import counted
from .app import Device, app, console, say


@app.command
def bench(
    model: str = "default",
    *,
    threads: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    device: Device = "cpu",
) -> None:
    """Measure the speed of a model on this machine.

    Parameters
    ----------
    model:
        Name of a bundled model, or a model folder.
    threads:
        Number of processor threads; by default all, or $OMP_NUM_THREADS.
    """
    import torch
    from rich.table import Table

    from ..inference.benchmark import bench as measure
    from ..inference.recognizer import load

    if threads:
        torch.set_num_threads(threads)
    recognizer = load(model, device=device)
    used = counted(torch.get_num_threads(), "thread")
    say(f"{model}: {used}, {recognizer.arithmetic}; this takes about half a minute")
    table = Table("what", "files a second", "x real time", "an hour takes")
    for rate in measure(recognizer):
        speed = rate.audio / rate.seconds
        table.add_row(
            rate.what, f"{rate.files / rate.seconds:.1f}", f"{speed:.0f}", f"{3600 / speed:.0f} s"
        )
    console().print(table)
