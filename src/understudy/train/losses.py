"""The policy-gradient loss, as a pure function of tensors."""

from __future__ import annotations

import torch


def grpo_loss(
    logp: torch.Tensor,
    old_logp: torch.Tensor,
    advantages: torch.Tensor,
    mask: torch.Tensor,
    *,
    clip: float,
    normalizer: float,
    reference_logp: torch.Tensor | None = None,
    kl_weight: float = 0.0,
) -> torch.Tensor:
    """Clipped surrogate of GRPO with token-level normalisation, on the agent's tokens only.

    Sources: clipped surrogate and the k3 estimator of KL(pi || reference): Shao et al. 2024 (arXiv 2402.03300), eq. 3-4.
    Token-level normalisation: DAPO (arXiv 2503.14476), eq. 8: every token of the step weighs the same, whatever the
    length of its dialogue. Dropped: the asymmetric clip and overlong penalty of DAPO,
    the reference model unless `kl_weight` > 0.

    Args:
        logp: [B, T] log-probabilities under the policy being trained.
        old_logp: [B, T] under the policy that sampled.
        advantages: [B, T] one per token, or [B, 1] one per dialogue.
        mask: [B, T] true on tokens that the agent sampled.
        clip: the ratio is kept within 1 - clip and 1 + clip.
        normalizer: number of agent tokens in the whole step (over all micro-batches).
        reference_logp: [B, T] under the start of training; needed where `kl_weight` > 0.

    Returns:
        A scalar to minimise; micro-batches add up to the step's loss.
    """
    ratio = (logp - old_logp).exp()
    objective = torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages)
    if kl_weight > 0:
        if reference_logp is None:
            raise ValueError("kl_weight > 0 needs reference_logp")
        gap = reference_logp - logp
        objective = objective - kl_weight * (gap.exp() - gap - 1)
    return -(objective * mask).sum() / normalizer
