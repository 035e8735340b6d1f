"""What one step of training looked like: the figures that learning curves are drawn from, and what has been used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from understudy.runs import MetricsLog
from understudy.train.rollouts import Collected, Rollout

OnStep = Callable[[int, dict[str, float]], None]
"""Is told of every step of training, and its figures."""


@dataclass
class Budget:
    """What training has used so far; every arm samples about the same number of agent messages per step."""

    messages: int = 0
    tokens: int = 0
    dialogues: int = 0
    messages_per_rollout: float = 1.0

    @classmethod
    def of(cls, metrics: MetricsLog) -> Budget:
        """What the steps of a whole log have used, by their `dialogues`, `messages` and `tokens`."""
        rows = metrics.read()
        dialogues, messages, tokens = (
            sum(int(row[key]) for row in rows) for key in ("dialogues", "messages", "tokens")
        )
        return cls(messages, tokens, dialogues, max(1.0, messages / max(1, dialogues)))

    def add(self, rollouts: Sequence[Rollout]) -> None:
        """Count one step's rollouts."""
        messages = sum(r.sampled_messages for r in rollouts)
        self.messages += messages
        self.dialogues += len(rollouts)
        self.tokens += sum(r.sampled_tokens for r in rollouts)
        self.messages_per_rollout = max(1.0, messages / max(1, len(rollouts)))


@dataclass(frozen=True, slots=True)
class Counted:
    """What the figures of a step need of one rollout.

    Attributes:
        reward, agent_messages, walked_out: see `Rollout`.
        tokens: that the policy sampled, and that are trained.
        surprise: -log pi of them in nats, summed.
        forward_tokens: see `Rollout`.
    """

    reward: float | None
    agent_messages: int
    walked_out: float
    tokens: int
    surprise: float
    forward_tokens: int = 0

    @classmethod
    def of(cls, rollout: Rollout) -> Counted:
        record = rollout.record
        return cls(
            rollout.reward,
            rollout.agent_messages,
            rollout.walked_out,
            sum(record.sampled),
            -sum(record.logprobs),
            rollout.forward_tokens,
        )


def step_figures(collected: Collected) -> dict[str, float]:
    """Rewards, lengths and surprise of one step's rollouts, whatever is learned from them."""
    return figures_of([Counted.of(rollout) for rollout in collected.rollouts], collected.failed)


def figures_of(counted: Sequence[Counted], failed: int) -> dict[str, float]:
    """As `step_figures`, where the rollouts themselves are elsewhere."""
    rewards = [c.reward for c in counted if c.reward is not None]
    tokens = sum(c.tokens for c in counted)
    return {
        "reward": _mean(rewards),
        "reward_std": float(np.std(rewards)) if rewards else float("nan"),
        "undetermined": len(counted) - len(rewards),
        # Mean -log pi of the tokens: an unbiased estimate of the policy's entropy per token.
        "entropy": sum(c.surprise for c in counted) / max(1, tokens),
        "tokens": tokens + sum(c.forward_tokens for c in counted),
        "failed": failed,
        "turns": _mean([c.agent_messages for c in counted]),
        "walked_out": _mean([c.walked_out for c in counted]),
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
