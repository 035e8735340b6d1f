"""Where a supervised fine-tuning stands: what it goes on from after a kill."""

from __future__ import annotations

import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from understudy.models.adapters import trainable
from understudy.models.saved_state import load_state, save_state

_SAVE_EVERY_SECONDS = 60.0
"""A tiny model is fitted before it is over."""
_SAVE_SHARE = 0.05
"""Of the time, saving takes so much at most: all moments of a large model are tens of gigabytes."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the logs, ending with optimiser step number `step`.

    Attributes:
        train_nll, validation_nll: mean NLL in nats per token of the trained side.
        auxiliary: mean `AuxiliaryLoss`, a weighted sum in nats, while training; None where it is not used.
    """

    epoch: int
    step: int
    train_nll: float
    validation_nll: float
    auxiliary: float | None = None

    def record(self) -> dict[str, float | None]:
        return asdict(self)


class SFTState:
    """Steps taken, epochs finished and the best weights so far; what it is made of, it sets to where it was saved.

    Attributes:
        step: optimiser steps taken.
        history: of finished epochs.
        best_weights: of the epoch with the lowest held-out NLL; before any, those it started with.
    """

    def __init__(
        self,
        scratch: Path | None,
        model: torch.nn.Module,
        auxiliary: torch.nn.Module | None,
        optimizer: torch.optim.Optimizer,
        schedule: torch.optim.lr_scheduler.LRScheduler,
    ) -> None:
        """Start, or go on from `sft.pt` in `scratch` if it is there.

        Args:
            auxiliary: trained along with the model; None where nothing is.
        """
        self._path = scratch / "sft.pt" if scratch else None
        self._model, self._auxiliary, self._optimizer, self._schedule = model, auxiliary, optimizer, schedule
        self.step = 0
        self.history: list[Epoch] = []
        self.best_weights = self._weights()
        self._nll, self._tokens, self._auxiliary_loss = 0.0, 0, 0.0
        self._save_at = time.monotonic() + _SAVE_EVERY_SECONDS
        if self._path:
            self._load(self._path)

    def stepped(self, nll: float, tokens: int, auxiliary_loss: float) -> None:
        """Count an optimiser step: the NLL of its tokens in sum, and the loss beside it."""
        self.step += 1
        self._nll += nll
        self._tokens += tokens
        self._auxiliary_loss += auxiliary_loss
        self._save_when_due()

    def finished_epoch(self, validation_nll: float) -> None:
        """Add the epoch to the history, and keep its weights if it is the best one."""
        best = min((e.validation_nll for e in self.history), default=math.inf)
        steps = self.step - (self.history[-1].step if self.history else 0)
        auxiliary_loss = self._auxiliary_loss / steps if self._auxiliary is not None else None
        train_nll = self._nll / max(1, self._tokens)
        self.history.append(Epoch(len(self.history), self.step, train_nll, validation_nll, auxiliary_loss))
        self._nll, self._tokens, self._auxiliary_loss = 0.0, 0, 0.0
        if validation_nll < best:
            self.best_weights = self._weights()
        self._save_when_due()

    def _save_when_due(self) -> None:
        began = time.monotonic()
        if self._path is None or began < self._save_at:
            return
        self._save(self._path)
        took = time.monotonic() - began
        self._save_at = time.monotonic() + max(_SAVE_EVERY_SECONDS, took / _SAVE_SHARE)

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: parameter.detach().clone() for name, parameter in trainable(self._model).items()}

    def _save(self, path: Path) -> None:
        state = {
            "step": self.step,
            "history": [epoch.record() for epoch in self.history],
            "epoch": [self._nll, self._tokens, self._auxiliary_loss],
            "model": dict(trainable(self._model)),
            "best": self.best_weights,
            "auxiliary": self._auxiliary.state_dict() if self._auxiliary is not None else {},
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "random": [torch.get_rng_state(), *torch.cuda.get_rng_state_all()],  # of dropout
        }
        save_state(path, state)

    def _load(self, path: Path) -> None:
        state = load_state(path)
        if state is None:
            return
        self.step = state["step"]
        self.history = [Epoch(**record) for record in state["history"]]
        self._nll, self._tokens, self._auxiliary_loss = state["epoch"]
        self._model.load_state_dict(state["model"], strict=False)  # what is not trained is not in it
        self.best_weights = state["best"]
        if self._auxiliary is not None:
            self._auxiliary.load_state_dict(state["auxiliary"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        torch.set_rng_state(state["random"][0])
        torch.cuda.set_rng_state_all(state["random"][1:])
