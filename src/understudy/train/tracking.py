"""Learning curves where people have those of their other runs: TensorBoard, Weights & Biases, trackio."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from understudy.config import Tracker
from understudy.errors import ConfigError
from understudy.train.figures import OnStep

_PROJECT = "understudy"
_PACKAGES: dict[Tracker, str] = {"tensorboard": "torch.utils.tensorboard", "wandb": "wandb", "trackio": "trackio"}


@contextmanager
def tracking(tracker: Tracker | None, run: Path, stage: str) -> Iterator[OnStep]:
    """What to call with each step's figures, which are all in the run's own `metrics.jsonl` as well.

    A training that was killed and goes on is the same curve there; its steps since the last checkpoint are told again.

    Args:
        tracker: None tells nobody. `tensorboard` writes to `run/shared/tensorboard`; the others to where they are set up to.
        stage: which training of the run it is; the curve's name is that of the run's folder and this.

    Raises:
        ConfigError: if the tracker is not installed.
    """
    if tracker is None:
        yield _nobody
        return
    try:
        module = import_module(_PACKAGES[tracker])
    except ImportError as error:
        raise ConfigError(
            f"{tracker} is not installed", where="rl.tracker", fix=f"pip install {tracker}, or leave it out"
        ) from error
    if tracker == "tensorboard":
        board = _TensorBoard(module, run / "shared" / "tensorboard" / stage)
        try:
            yield board
        finally:
            board.close()
        return
    # An id keeps the curves of two runs apart whose folders have one name; trackio goes by the name alone.
    own = {"id": hashlib.sha256(f"{run.resolve()} {stage}".encode()).hexdigest()[:16], "dir": str(run / "shared")}
    begun = module.init(
        project=_PROJECT, name=f"{run.name}/{stage}", resume="allow", **(own if tracker == "wandb" else {})
    )
    try:
        yield lambda step, figures: begun.log(_finite(figures), step=step)
    finally:
        begun.finish()


class _TensorBoard:
    """Opened at the first step: what lies there from that step on, from before a kill, is to be hidden."""

    def __init__(self, module: Any, folder: Path) -> None:
        self.module, self.folder = module, folder
        self.writer: Any = None

    def __call__(self, step: int, figures: Mapping[str, float]) -> None:
        if self.writer is None:
            self.writer = self.module.SummaryWriter(str(self.folder), purge_step=step)
        for name, value in _finite(figures).items():
            self.writer.add_scalar(name, value, step)

    def close(self) -> None:
        if self.writer is not None:
            self.writer.close()


def _finite(figures: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in figures.items() if name != "step" and math.isfinite(value)}


def _nobody(step: int, figures: Mapping[str, float]) -> None:
    """No tracker was asked for."""
