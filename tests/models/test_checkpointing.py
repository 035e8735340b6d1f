"""Layers computed again: the same gradients, from less that is kept."""

from __future__ import annotations

import copy

import pytest
import torch

from understudy.errors import ModelError
from understudy.models.adapters import add_adapter, trainable
from understudy.models.chat_model import ChatModel
from understudy.models.checkpointing import gradient_checkpointing
from understudy.models.likelihood import token_logprobs

IDS = torch.arange(7, 47)[None, :]


@pytest.mark.parametrize("adapted", [False, True])
@pytest.mark.parametrize("training", [False, True])
def test_gradients_are_the_same_and_less_is_kept(tiny_model: ChatModel, training: bool, adapted: bool) -> None:
    def step(enabled: bool) -> tuple[dict[str, torch.Tensor], int, int]:
        model = copy.deepcopy(tiny_model.model).train(training)
        if adapted:
            add_adapter(model, 2, token=5, revision=None, seed=0)
            for name, parameter in trainable(model).items():
                if "lora_B" in name:
                    torch.nn.init.constant_(parameter, 0.01)  # otherwise the other half has no gradient
            model.train(training)
        calls = kept = 0

        def count(*args: object) -> None:
            nonlocal calls
            calls += 1

        def keep(tensor: torch.Tensor) -> torch.Tensor:
            nonlocal kept
            kept += tensor.numel()
            return tensor

        model.model.layers[0].input_layernorm.register_forward_hook(count)
        with gradient_checkpointing(model, enabled=enabled):
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                loss = -token_logprobs(model, IDS).sum()
            torch.autograd.backward(loss)
        assert model.model.layers[0].training == training
        assert not any(getattr(module, "gradient_checkpointing", False) for module in model.modules())
        found = {name: p.grad for name, p in trainable(model).items() if p.grad is not None}
        assert found
        return found, calls, kept

    plain, once, everything = step(False)
    again, twice, some = step(True)
    assert (once, twice) == (1, 2)
    assert some < everything
    assert plain.keys() == again.keys()
    for name in plain:
        assert torch.allclose(plain[name], again[name], atol=1e-5), name


def test_an_architecture_without_it_is_named(tiny_model: ChatModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(tiny_model.model), "supports_gradient_checkpointing", False)
    with (
        pytest.raises(ModelError, match="has no gradient checkpointing"),
        gradient_checkpointing(tiny_model.model, enabled=True),
    ):
        pass
