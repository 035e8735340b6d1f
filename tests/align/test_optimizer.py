from __future__ import annotations

import copy
from typing import Any

import pytest
import torch

from understudy.align.optimizer import sft_optimizer
from understudy.config import ModelConfig, SFTConfig
from understudy.models.chat_model import ChatModel


def _rates(optimizer: torch.optim.Optimizer, names: dict[int, str]) -> dict[str, float]:
    """Learning rate of each parameter by name; each must have one."""
    rates: dict[str, float] = {}
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            assert names[id(parameter)] not in rates
            rates[names[id(parameter)]] = group["lr"]
    return rates


def test_muon_has_the_matrices_inside_the_model_and_adamw_all_else(tiny_model: ChatModel) -> None:
    head = torch.nn.Linear(4, 1)
    names = {id(p): name for name, p in tiny_model.model.named_parameters()} | {id(p): "head" for p in [head.weight]}
    config = SFTConfig(learning_rate=1e-3, matrix_learning_rate=2e-2)
    rates = _rates(sft_optimizer(tiny_model.model, [head.weight], config), names)
    assert rates.keys() == set(names.values())
    by_muon = {name for name, rate in rates.items() if rate == 2e-2}
    assert by_muon == {name for name in rates if name.endswith("proj.weight")}
    assert len(by_muon) == 7 * tiny_model.model.config.num_hidden_layers
    assert {rates[name] for name in rates.keys() - by_muon} == {1e-3}


@pytest.mark.parametrize("config", [SFTConfig().of_user(ModelConfig(base="a/model")), SFTConfig().of_agent()])
def test_pretrained_users_and_agents_have_adamw_alone(tiny_model: ChatModel, config: SFTConfig) -> None:
    assert isinstance(sft_optimizer(tiny_model.model, [], config), torch.optim.AdamW)


def test_users_made_from_scratch_have_muon_as_well() -> None:
    assert SFTConfig().of_user(ModelConfig()) == SFTConfig()


def test_a_step_moves_each_part_by_its_own_rule(tiny_model: ChatModel) -> None:
    """A first step of AdamW has the learning rate's size whatever the gradient; one of Muon turns all directions alike."""
    model = copy.deepcopy(tiny_model.model)
    optimizer = sft_optimizer(model, [], SFTConfig(learning_rate=1e-3, matrix_learning_rate=2e-2, weight_decay=0))
    before: dict[str, Any] = {name: p.detach().clone() for name, p in model.named_parameters()}
    torch.manual_seed(0)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    optimizer.step()
    moved = {name: p.detach() - before[name] for name, p in model.named_parameters()}
    embedded = moved["model.embed_tokens.weight"].abs()
    assert torch.allclose(embedded, torch.full_like(embedded, 1e-3), rtol=1e-2)
    matrix = moved["model.layers.0.mlp.up_proj.weight"]
    singular = torch.linalg.svdvals(matrix)
    given = torch.linalg.svdvals(torch.randn_like(matrix))
    assert singular.max() / singular.min() < 2 < given.max() / given.min()
    assert matrix.square().mean().sqrt() == pytest.approx(0.2 * 2e-2, rel=0.2)  # as large as AdamW's (arXiv 2502.16982)
