"""Dropout of dense decoders: while training alone, with the mean kept, and nothing left behind."""

from __future__ import annotations

import pytest
import torch
from torch.utils.hooks import RemovableHandle
from transformers import GPT2Config, GPT2LMHeadModel, Qwen3MoeConfig, Qwen3MoeForCausalLM

from understudy.errors import ModelError
from understudy.models.chat_model import ChatModel
from understudy.models.dropout import residual_dropout

IDS = torch.arange(7, 47)[None, :]


def test_a_share_of_what_blocks_add_is_left_out_and_the_rest_keeps_the_mean(tiny_model: ChatModel) -> None:
    model = tiny_model.model
    seen: list[torch.Tensor] = []
    after: list[RemovableHandle] = []
    layers = model.model.layers
    watched = (model.get_input_embeddings(), layers[0].self_attn.o_proj, layers[-1].mlp.down_proj)
    plain = [m.register_forward_hook(lambda module, given, output: seen.append(output.detach())) for m in watched]
    torch.manual_seed(0)
    model.train()
    try:
        with residual_dropout(model, 0.25):
            after = [
                m.register_forward_hook(lambda module, given, output: seen.append(output.detach())) for m in watched
            ]
            model(input_ids=IDS.expand(64, -1))
    finally:
        model.eval()
        for hook in (*plain, *after):
            hook.remove()
    for before, dropped in zip(seen[::2], seen[1::2], strict=True):
        left_out = (dropped == 0) & (before != 0)
        assert left_out.float().mean().item() == pytest.approx(0.25, abs=0.01)
        assert torch.allclose(dropped[~left_out], before[~left_out] / 0.75)


@pytest.mark.parametrize(("rate", "training"), [(0.0, True), (0.5, False)])
def test_nothing_is_left_out_at_rate_0_nor_outside_of_training(
    tiny_model: ChatModel, rate: float, training: bool
) -> None:
    model = tiny_model.model.eval()
    expected = model(input_ids=IDS).logits
    model.train(training)
    try:
        with residual_dropout(model, rate):
            assert torch.equal(model(input_ids=IDS).logits, expected)
    finally:
        model.eval()


def test_after_the_block_a_model_in_training_is_whole_again(tiny_model: ChatModel) -> None:
    model = tiny_model.model.train()
    try:
        expected = model(input_ids=IDS).logits
        with residual_dropout(model, 0.5):
            assert not torch.allclose(model(input_ids=IDS).logits, expected)
        assert torch.equal(model(input_ids=IDS).logits, expected)
    finally:
        model.eval()


def test_blocks_of_which_one_branch_alone_is_known_are_refused() -> None:
    model = Qwen3MoeForCausalLM(
        Qwen3MoeConfig(
            vocab_size=32, hidden_size=8, intermediate_size=8, moe_intermediate_size=8, num_hidden_layers=1,
            num_attention_heads=2, num_key_value_heads=1, head_dim=4, num_experts=2, num_experts_per_tok=1,
        )
    )  # fmt: skip
    with pytest.raises(ModelError, match="whose outputs dropout is for"), residual_dropout(model, 0.1):
        pass


def test_an_architecture_whose_branches_are_not_known_is_refused() -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=32, n_positions=16, n_embd=8, n_layer=1, n_head=1))
    with pytest.raises(ModelError, match="whose outputs dropout is for"), residual_dropout(model, 0.1):
        pass
