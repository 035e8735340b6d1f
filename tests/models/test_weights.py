"""Two adapters of one model hold its weights once, and stay two."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import pytest
import torch

from understudy.config import ModelConfig
from understudy.models.adapters import trainable
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker
from understudy.models.start import start_model
from understudy.models.weights import sampling_copy
from understudy.speaker import Request
from understudy.types import Message


@pytest.fixture
def adapters(tiny_model: ChatModel, tmp_path: Path) -> tuple[Path, Path]:
    """Of one base, with other random values each, so that neither begins as no change."""
    tiny_model.save(tmp_path / "base")
    folders = tmp_path / "agent", tmp_path / "user"
    for seed, folder in enumerate(folders):
        config = ModelConfig(base=str(tmp_path / "base"), max_length=200, lora_rank=4, weights="bf16")
        made = start_model([], config, seed)
        torch.manual_seed(seed)
        for parameter in trainable(made.model).values():
            torch.nn.init.normal_(parameter, std=0.1)
        made.save(folder)
    return folders


def storages(*models: torch.nn.Module) -> set[int]:
    """Of the frozen weights as they are loaded; those of a sampler's adapter are frozen as well, but not loaded so."""
    found = (item for model in models for item in model.named_parameters())
    return {p.data_ptr() for name, p in found if not any(part in name for part in ("lora", "delta"))}


def logits(chat_model: ChatModel) -> torch.Tensor:
    model = chat_model.model
    found: torch.Tensor = model(input_ids=torch.arange(12, device=model.device)[None]).logits
    return found


def test_agent_user_and_what_samples_hold_one_model(
    adapters: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.bfloat16)
    alone = [logits(load_chat_model(folder)) for folder in adapters]
    gc.collect()
    agent, user = (load_chat_model(folder) for folder in adapters)
    one = storages(agent.model)
    speakers = [ModelSpeaker(m, side, width=2, max_message_tokens=4) for m, side in ((agent, "agent"), (user, "user"))]
    assert storages(agent.model, user.model, *(s.sampler.model for s in speakers)) == one
    assert all(torch.equal(logits(m), a) for m, a in zip((agent, user), alone, strict=True))
    assert not torch.equal(*alone)

    # The agent is trained on: its sampler follows, the user and its sampler don't.
    before = {name: p.clone() for name, p in speakers[1].sampler.model.named_parameters()}
    loss = logits(agent).float().square().mean()
    torch.autograd.backward(loss)
    torch.optim.SGD(trainable(agent.model).values(), lr=1.0).step()
    assert not torch.equal(logits(agent), alone[0])
    assert torch.equal(logits(user), alone[1])
    speakers[0].sampler.load_weights(agent.model)
    trained = trainable(agent.model)
    for name, parameter in speakers[0].sampler.model.named_parameters():
        if name in trained:
            assert torch.equal(parameter, trained[name].bfloat16())
    assert all(torch.equal(p, before[name]) for name, p in speakers[1].sampler.model.named_parameters())
    (said,) = speakers[0].reply([Request(0, "agent", "you sell paint", (Message("user", "hello"),), seed=1)])
    assert isinstance(said, Message)


def test_a_copy_to_sample_with_says_what_its_adapter_says_and_takes_no_indices_from_the_host(
    adapters: tuple[Path, Path],
) -> None:
    agent = load_chat_model(adapters[0])
    copied = sampling_copy(agent.model, torch.bfloat16)
    ids = torch.arange(agent.model.config.vocab_size, device=agent.model.device)[
        None, -12:
    ]  # the trained row among them
    with torch.no_grad():
        expected, (made, found) = agent.model(ids).logits, made_from_host(lambda: copied(ids, use_cache=False).logits)
        torch.testing.assert_close(found.float(), expected.float(), atol=0.1, rtol=0.05)
    assert not made
    assert made_from_host(lambda: agent.model(ids, use_cache=False).logits)[0], "as peft does"


def made_from_host(run: Callable[[], torch.Tensor]) -> tuple[int, torch.Tensor]:
    """How many tensors were made from values of the host while something ran, and what it gave."""
    with mock.patch("torch.tensor", side_effect=torch.tensor) as made:
        found = run()
    return made.call_count, found


def test_other_values_are_not_shared_and_nothing_is_kept_alive(adapters: tuple[Path, Path]) -> None:
    agent = load_chat_model(adapters[0])
    with torch.no_grad():
        next(p for p in agent.model.parameters() if not p.requires_grad).add_(1)
    user = load_chat_model(adapters[1])
    assert len(storages(agent.model, user.model)) == len(storages(user.model)) + 1
    gone = weakref.ref(agent.model)
    del agent
    gc.collect()
    assert gone() is None


def test_a_model_that_is_trained_whole_shares_nothing_with_what_samples(tiny_model: ChatModel) -> None:
    speaker = ModelSpeaker(tiny_model, "agent", width=2, max_message_tokens=4)
    assert storages(speaker.sampler.model).isdisjoint(storages(tiny_model.model))
