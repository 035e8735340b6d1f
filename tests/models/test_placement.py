"""A model over two devices, as fake tensors: these have devices and shapes but no values, and refuse to meet on two of them.

The second device is `meta`, as fake tensors of GPUs ask for a torch that was built for them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedModel

from understudy.config import ModelConfig, load_config
from understudy.errors import ConfigError, ModelError
from understudy.models import placement
from understudy.models.attention import DECODING_ATTENTION
from understudy.models.cache import RaggedCache
from understudy.models.chat_model import ChatModel
from understudy.models.likelihood import token_logprobs
from understudy.models.load import load_chat_model
from understudy.models.placement import DEVICE_MAP, is_spread, spread, to_devices
from understudy.models.start import start_model
from understudy.models.weights import sampling_copy

FIRST, SECOND = torch.device("cpu"), torch.device("meta")
OVER_TWO = {
    "model.embed_tokens": FIRST,
    "model.rotary_emb": FIRST,
    "model.layers.0": FIRST,
    "model.layers.1": SECOND,
    "model.norm": SECOND,
    "lm_head": SECOND,
}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def made_anew(self: torch.nn.Module, device: torch.device, **dtype: object) -> torch.nn.Module:
        """Fake parameters cannot be moved in place."""
        for module in self.modules():
            for name, p in module.named_parameters(recurse=False):
                value = torch.nn.Parameter(torch.empty_like(p, device=device), requires_grad=p.requires_grad)
                setattr_in(module, name, value)
            for name, buffer in module.named_buffers(recurse=False):
                setattr_in(module, name, torch.empty_like(buffer, device=device))
        return self

    monkeypatch.setattr(torch.nn.Module, "to", made_anew)
    with FakeTensorMode(), torch.inference_mode():  # gradients ask for real devices
        yield


def setattr_in(module: torch.nn.Module, name: str, value: torch.Tensor) -> None:
    if isinstance(module, torch.nn.ParameterDict):  # of an adapter
        module[name] = value
    else:
        setattr(module, name, value)


def llama() -> PreTrainedModel:
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=2, num_attention_heads=2,
            num_key_value_heads=1,
        )
    )  # fmt: skip


def ids(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.long, device=FIRST)


@pytest.mark.usefixtures("fake")
def test_likelihoods_and_states_of_a_model_over_two_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.likelihood.training_autocast", nullcontext)
    model = llama()
    spread(model, OVER_TWO)
    assert is_spread(model)
    assert to_devices(model) == FIRST
    logp = token_logprobs(model, ids(3, 7))
    assert (logp.device, logp.shape) == (FIRST, (3, 7))
    for name, p in model.named_parameters():
        assert p.device == (SECOND if name.startswith(("model.layers.1", "model.norm", "lm_head")) else FIRST), name
    hidden = model.base_model(input_ids=ids(3, 7), use_cache=False, output_hidden_states=True)
    assert {state.device for state in (*hidden.hidden_states, hidden.last_hidden_state)} == {FIRST}


@pytest.mark.usefixtures("fake")
def test_a_list_of_layers_is_given_its_tensors_layer_by_layer() -> None:
    model = llama()
    spread(
        model,
        {
            "model.embed_tokens": FIRST,
            "model.rotary_emb": FIRST,
            "model.layers": SECOND,
            "model.norm": FIRST,
            "lm_head": FIRST,
        },
    )
    assert model(input_ids=ids(2, 3), use_cache=False).logits.device == FIRST


@pytest.mark.usefixtures("fake")
def test_each_layer_keeps_its_keys_and_values_where_it_is() -> None:
    model = llama()
    spread(model, OVER_TWO)
    model.set_attn_implementation(DECODING_ATTENTION)
    kept = RaggedCache.empty(2, 4, torch.float32, FIRST)
    rows = torch.zeros(2, dtype=torch.long, device=FIRST)
    work = kept.select(rows, 5)
    for length, some in ((6, rows), (1, None)):
        work.reserve(8)
        mask = work.place(torch.zeros(2, length, dtype=torch.long, device=FIRST), some)
        out = model(
            input_ids=ids(2, length),
            attention_mask=mask,
            position_ids=ids(2, length),
            past_key_values=work,
            use_cache=True,
            logits_to_keep=1,
        )
        assert (out.logits.device, out.logits.shape) == (FIRST, (2, 1, 50))
    kept.store(rows, work)
    for held in (work.keys, work.values, kept.keys, kept.values, kept.select(rows, 3).keys):
        assert [layer.device for layer in held] == [FIRST, SECOND]


@pytest.mark.usefixtures("fake")
def test_fake_tensors_would_notice_a_layer_that_is_given_nothing_on_its_device() -> None:
    model = llama()
    for name, device in OVER_TWO.items():
        model.get_submodule(name).to(device)
    with pytest.raises(RuntimeError, match="two devices"):
        model(input_ids=ids(2, 3), use_cache=False)


def test_a_copy_to_sample_with_is_spread_as_its_model() -> None:
    model = llama().eval()
    spread(model, dict.fromkeys(OVER_TWO, torch.device("cpu")))
    model.hf_device_map["lm_head"] = SECOND  # it counts as spread
    copied = sampling_copy(model, torch.float32)
    assert is_spread(copied)
    for name in OVER_TWO:
        (hook,), (copied_hook,) = (m.get_submodule(name)._forward_pre_hooks.values() for m in (model, copied))
        assert copied_hook.args == hook.args, name
    assert copied(torch.tensor([[1, 2, 3]])).logits.shape == (1, 3, 50)


def test_no_layer_is_cut_and_what_does_not_fit_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    model = llama()
    size = 4 * sum(p.numel() for p in model.parameters())
    memory = {0: 0.6 * size, 1: size, "cpu": 100 * size}
    monkeypatch.setattr("accelerate.utils.get_balanced_memory", lambda *_, **__: memory)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    found = placement._balanced(model)
    assert {*found.values()} == {torch.device("cuda", 0), torch.device("cuda", 1)}
    for name, _ in model.named_parameters():
        assert sum(name.startswith(f"{module}.") for module in found) == 1, name
    layers = [name for name in found if name.startswith("model.layers.")]
    assert all(name.count(".") == 2 for name in layers), "whole layers, or several"
    memory.update({0: 0.3 * size, 1: 0.3 * size})
    with pytest.raises(ModelError, match="needs more memory than the 2 GPUs"):
        to_devices_of_auto(model)


def to_devices_of_auto(model: PreTrainedModel) -> torch.device:
    setattr(model.config, DEVICE_MAP, "auto")
    return to_devices(model)


def test_a_saved_model_keeps_that_it_is_spread(tiny_model: ChatModel, tmp_path: Path) -> None:
    tiny_model.save(tmp_path / "base")
    for rank in (None, 2):
        given = ModelConfig(base=str(tmp_path / "base"), max_length=96, lora_rank=rank, device_map="auto")
        start_model([], given, seed=0).save(tmp_path / f"saved{rank}")
        model = load_chat_model(tmp_path / f"saved{rank}").model
        assert getattr(model.config, DEVICE_MAP) == "auto"
        assert to_devices(model) == model.device, "there are not several GPUs"
        assert not is_spread(model)
    assert np.isfinite(token_logprobs(model, torch.tensor([[1, 2, 3]])).detach().numpy()).all()


def test_what_cannot_be_spread_is_refused() -> None:
    with pytest.raises(ConfigError, match="device_map is given, but base is not"):
        load_config(overrides=["model.device_map=auto"])
    adapted = ["model.base=a/b", "user_model.base=a/b", "unseen_user_model.base=a/c", "model.device_map=auto"]
    with pytest.raises(ConfigError, match="spreads the policy in its own way"):
        load_config(preset="pretrained", overrides=[*adapted, "rl.engine=trl"])
    spread_user = ["model.base=a/b", "user_model.base=a/b", "unseen_user_model.base=a/c", "user_model.device_map=auto"]
    with pytest.raises(ConfigError, match="holds the user on its own GPU"):
        load_config(preset="pretrained", overrides=[*spread_user, "rl.engine=trl", "rl.processes=2"])
