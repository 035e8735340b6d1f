"""Advantages from groups of rollouts of one task."""

from __future__ import annotations

import numpy as np


def group_advantages(rewards: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """GRPO's group-relative advantage: (reward - group mean) / group standard deviation.

    Source: Shao et al. 2024, DeepSeekMath (arXiv 2402.03300), section 4.1.2, outcome supervision. A group whose rewards
    are all equal carries no signal and is left out (dynamic sampling of DAPO, arXiv 2503.14476, without resampling).

    Args:
        rewards: [D] finite rewards.
        groups: [D] the group of each rollout.

    Returns:
        [D] advantages (0 where left out) and [D] whether the rollout's group has any variance.
    """
    advantages = np.zeros(len(rewards))
    kept = np.zeros(len(rewards), dtype=bool)
    for group in np.unique(groups):
        inside = groups == group
        values = rewards[inside]
        spread = values.std()
        if spread > 1e-8:
            advantages[inside] = (values - values.mean()) / spread
            kept[inside] = True
    return advantages, kept
