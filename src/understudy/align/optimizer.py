"""The optimiser of supervised fine-tuning: Muon for the matrices of a model made from scratch, AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from transformers import PreTrainedModel

from understudy.config import SFTConfig
from understudy.models.adapters import trainable

_ADAMW_BETAS = (0.9, 0.98)


def sft_optimizer(
    model: PreTrainedModel, others: Iterable[torch.nn.Parameter], config: SFTConfig
) -> torch.optim.Optimizer:
    """What trains a model, and what else is trained along with it.

    Without `config.matrix_learning_rate` AdamW trains all. With it, Muon trains the matrices between embedding and output
    layer, whose update it makes orthogonal: on a few thousand dialogues a tiny model comes closer to people in as many steps
    (BENCHMARKS.md). Its update is scaled to the size of AdamW's, and its weight decay has the same coefficient
    (arXiv 2502.16982).

    Args:
        others: parameters beside the model's, such as heads; AdamW trains them.
    """
    parameters = list(trainable(model).values())
    matrices = _hidden_matrices(model) if config.matrix_learning_rate is not None else []
    places = {id(matrix) for matrix in matrices}
    rest = [*(p for p in parameters if id(p) not in places), *others]
    decay = config.weight_decay
    adamw = torch.optim.AdamW(rest, lr=config.learning_rate, betas=_ADAMW_BETAS, weight_decay=decay)
    if config.matrix_learning_rate is None or not matrices:
        return adamw
    muon = torch.optim.Muon(
        matrices, lr=config.matrix_learning_rate, weight_decay=decay, adjust_lr_fn="match_rms_adamw"
    )
    return _Together([muon, adamw])


def _hidden_matrices(model: PreTrainedModel) -> list[torch.Tensor]:
    output = model.get_output_embeddings()
    layers = (m for m in model.modules() if isinstance(m, torch.nn.Linear) and m is not output)
    return [layer.weight for layer in layers if layer.weight.requires_grad]


class _Together(torch.optim.Optimizer):
    """Optimisers of different parameters that take each step together; a schedule scales all their learning rates."""

    def __init__(self, parts: list[torch.optim.Optimizer]) -> None:
        super().__init__([p for part in parts for group in part.param_groups for p in group["params"]], {})
        self._parts = parts
        self.param_groups = [group for part in parts for group in part.param_groups]

    def step(self, closure: Callable[[], float] | None = None) -> Any:
        loss = None if closure is None else closure()
        for part in self._parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self._parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self._parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self.param_groups = [group for part in self._parts for group in part.param_groups]
