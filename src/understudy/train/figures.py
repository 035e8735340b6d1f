"""What one step of training looked like: the figures that learning curves are drawn from, and what has been used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from understudy.train.rollouts import Collected, Rollout


@dataclass
class Budget:
    """What training has used so far; every arm samples about the same number of agent messages per step."""

    messages: int = 0
    tokens: int = 0
    dialogues: int = 0
    messages_per_rollout: float = 1.0

    def add(self, rollouts: Sequence[Rollout]) -> None:
        """Count one step's rollouts."""
        messages = sum(r.sampled_messages for r in rollouts)
        self.messages += messages
        self.dialogues += len(rollouts)
        self.tokens += sum(r.sampled_tokens for r in rollouts)
        self.messages_per_rollout = max(1.0, messages / max(1, len(rollouts)))


def step_figures(collected: Collected) -> dict[str, float]:
    """Rewards, lengths and surprise of one step's rollouts, whatever is learned from them."""
    rollouts = collected.rollouts
    rewards = [r.reward for r in rollouts if r.reward is not None]
    return {
        "reward": _mean(rewards),
        "reward_std": float(np.std(rewards)) if rewards else float("nan"),
        "undetermined": len(rollouts) - len(rewards),
        "entropy": _mean_surprise(rollouts),
        "tokens": sum(r.sampled_tokens for r in rollouts),
        "failed": collected.failed,
        "turns": _mean([r.agent_messages for r in rollouts]),
        "walked_out": _mean([r.walked_out for r in rollouts]),
    }


def _mean_surprise(rollouts: Sequence[Rollout]) -> float:
    """Mean -log pi of the sampled tokens, nats: an unbiased estimate of the policy's entropy per token."""
    tokens = sum(sum(r.record.sampled) for r in rollouts)
    return sum(-sum(r.record.logprobs) for r in rollouts) / max(1, tokens)


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
