"""The advantage that verl's trainer takes: that of the local loop, for groups that have lost members as well.

verl's own GRPO gives the reward itself to whoever is alone in its group. verl imports this module in each of its processes,
by `VERL_USE_EXTERNAL_MODULES`. Written against verl 0.9.1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from verl.trainer.ppo.core_algos import register_adv_est

from understudy.train.advantages import turn_advantages
from understudy.train.verl.settings import GROUP_ADVANTAGE


@register_adv_est(GROUP_ADVANTAGE)  # type: ignore[untyped-decorator]  # verl is not type-checked here
def group_advantage(
    token_level_rewards: torch.Tensor, response_mask: torch.Tensor, index: np.ndarray, **unused: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """See `turn_advantages`: 0 in groups without variance.

    Args:
        token_level_rewards: [B, T] whose sum is the reward.
        response_mask: [B, T] 1 where the policy sampled.
        index: [B] names of the groups.

    Returns:
        [B, T] of each sampled token, 0 elsewhere; twice, as verl asks for returns as well.
    """
    rewards = [(reward,) for reward in token_level_rewards.sum(dim=-1).tolist()]
    places = {name: place for place, name in enumerate(dict.fromkeys(index.tolist()))}
    found, _ = turn_advantages(rewards, [places[name] for name in index.tolist()])
    advantages = torch.tensor([float(a[0]) for a in found], device=response_mask.device)[:, None] * response_mask
    return advantages, advantages
