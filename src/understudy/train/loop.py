"""The training loop: collect rollouts, compare them in their groups, one clipped policy-gradient step."""

from __future__ import annotations

import time
from pathlib import Path

import torch

from understudy.config import RLConfig
from understudy.models.adapters import trainable
from understudy.models.chat_model import ChatModel
from understudy.models.checkpointing import gradient_checkpointing
from understudy.models.likelihood import Example, batches_by_length, token_logprobs
from understudy.models.placement import to_devices
from understudy.models.saved_state import load_state, save_state
from understudy.models.speaker import ModelSpeaker
from understudy.runs import MetricsLog
from understudy.train.advantages import turn_advantages
from understudy.train.figures import Budget, OnStep, step_figures
from understudy.train.losses import grpo_loss
from understudy.train.rollouts import Rollout, RolloutSource


def train(
    policy: ChatModel,
    speaker: ModelSpeaker,
    source: RolloutSource,
    config: RLConfig,
    *,
    scratch: Path,
    on_step: OnStep | None = None,
) -> Budget:
    """Train the policy in place, from the last checkpoint in `scratch` if there is one.

    Args:
        policy: the weights that are trained (fp32).
        speaker: samples with a copy of these weights.
        source: where the contexts come from.
        scratch: holds `checkpoint.pt` and `metrics.jsonl`; a killed run goes on from there and ends the same.
        on_step: called with the step and its figures.

    Raises:
        UnderstudyError: if every dialogue of a step failed.
    """
    model = policy.model
    to_devices(model)
    # Dropout must stay off: the ratio compares log-probabilities of the same network.
    model.eval()
    optimizer = torch.optim.AdamW(
        trainable(model).values(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
    )
    metrics = MetricsLog(scratch / "metrics.jsonl")
    checkpoint = scratch / "checkpoint.pt"
    budget, start = Budget(messages_per_rollout=source.messages_per_rollout), 0
    reference = [p.detach().clone() for p in trainable(model).values()] if config.kl_weight else None
    if saved := load_state(checkpoint):
        model.load_state_dict(saved["model"], strict=False)  # what is not trained is not in it
        optimizer.load_state_dict(saved["optimizer"])
        budget, start = Budget(**saved["budget"]), saved["step"]
    metrics.truncate_from(start)

    for step in range(start, config.steps):
        began = time.monotonic()
        groups = groups_per_step(config, budget.messages_per_rollout)
        speaker.sampler.load_weights(model)
        collected = source.collect(speaker, step, groups, config.group_size)
        collected.refuse_none(step)
        sampled = time.monotonic()
        with gradient_checkpointing(model, enabled=config.gradient_checkpointing):
            learned = _update(policy, optimizer, collected.rollouts, config, step, reference)
        figures = step_figures(collected) | learned
        budget.add(collected.rollouts)
        figures |= {
            "step": step,
            "groups": groups,
            "seconds": time.monotonic() - began,
            "sampling_seconds": sampled - began,
        }
        metrics.append(figures)
        if on_step:
            on_step(step, figures)
        if (step + 1) % config.checkpoint_every == 0:
            state = {"model": trainable(model), "optimizer": optimizer.state_dict(), "budget": vars(budget)}
            save_state(checkpoint, {**state, "step": step + 1})
    return budget


def groups_per_step(config: RLConfig, messages_per_rollout: float) -> int:
    """How many tasks make about `config.messages_per_step` agent messages."""
    groups = round(config.messages_per_step / (config.group_size * messages_per_rollout))
    return min(max(groups, config.min_groups), config.max_groups)


def _update(
    policy: ChatModel,
    optimizer: torch.optim.Optimizer,
    rollouts: list[Rollout],
    config: RLConfig,
    step: int,
    reference: list[torch.Tensor] | None,
) -> dict[str, float]:
    """One optimiser step on one step's rollouts; gives its figures."""
    determined = [r for r in rollouts if r.reward is not None]
    advantages, kept = turn_advantages(
        [r.rewards for r in determined],
        [r.group for r in determined],
        credit=config.credit,
        discount=config.discount,
    )
    chosen = [i for i in range(len(determined)) if kept[i]]
    figures: dict[str, float] = {
        "kept_groups": len({determined[i].group for i in chosen}),
        "loss": 0.0,
        "grad_norm": 0.0,
        "sampler_gap": 0.0,
    }
    if not chosen:
        return figures
    model = policy.model
    device = next(model.parameters()).device
    records = [determined[i].record for i in chosen]
    normalizer = float(sum(sum(r.sampled) for r in records))
    for group in optimizer.param_groups:
        group["lr"] = config.learning_rate * min(1.0, (step + 1) / config.warmup_steps)
    optimizer.zero_grad(set_to_none=True)
    pad = policy.tokenizer.pad_token_id
    for batch in batches_by_length(
        [Example(r.ids, r.sampled) for r in records], config.micro_batch_tokens, pad, device
    ):
        reference_logp = _reference_logprobs(model, reference, batch.ids) if reference is not None else None
        logp = token_logprobs(model, batch.ids)
        sampled_logp, per_token = torch.zeros(logp.shape), torch.zeros(logp.shape)
        for row, i in enumerate(batch.indices):
            sampled_logp[row, : len(records[i].logprobs)] = torch.as_tensor(records[i].logprobs)
            for (start, stop), advantage in zip(records[i].spans, advantages[chosen[i]], strict=True):
                per_token[row, start:stop] = float(advantage)
        # One update per batch of rollouts: the old policy is the current one, and its log-probabilities are taken from
        # the same forward pass, so that bf16 rounding in the sampler does not pass for a change of policy.
        loss = grpo_loss(
            logp,
            logp.detach(),
            per_token.to(device),
            batch.mask,
            clip=config.clip,
            normalizer=normalizer,
            reference_logp=reference_logp,
            kl_weight=config.kl_weight,
        )
        torch.autograd.backward(loss)
        figures["loss"] += float(loss.detach())
        gap = ((logp.detach() - sampled_logp.to(device)).abs() * batch.mask).sum()
        figures["sampler_gap"] += float(gap) / normalizer
    figures["grad_norm"] = float(torch.nn.utils.clip_grad_norm_(trainable(model).values(), config.max_grad_norm))
    optimizer.step()
    return figures


def _reference_logprobs(model: torch.nn.Module, reference: list[torch.Tensor], ids: torch.Tensor) -> torch.Tensor:
    """Log-probabilities under the weights at the start of training, which are swapped in for one forward pass."""
    parameters = list(trainable(model).values())
    current = [p.detach().clone() for p in parameters]
    with torch.no_grad():
        for p, old in zip(parameters, reference, strict=True):
            p.copy_(old)
        logp = token_logprobs(model, ids)
        for p, new in zip(parameters, current, strict=True):
            p.copy_(new)
    return logp
