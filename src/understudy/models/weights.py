"""Weights that models share, and weights that one hands to another: an adapter's frozen ones are held once in a process."""

from __future__ import annotations

import copy
from weakref import WeakSet

import torch
from torch.distributed.tensor import DTensor
from transformers import PreTrainedModel

from understudy.models.adapters import hold_indices, is_adapted
from understudy.models.placement import to_devices
from understudy.models.precision import default_device

_ADAPTED: WeakSet[PreTrainedModel] = WeakSet()


def share_frozen(model: PreTrainedModel) -> None:
    """Let an adapter's model hold, in place, the frozen weights of those that came here before it and are still in use.

    A weight is shared where another model has one of its name and value; so agent and user that are adapters of one model
    hold that once. Nothing that is trained is shared, and what is shared must not be trained.
    """
    for other in _ADAPTED:
        held = {name: p for name, p in other.named_parameters(remove_duplicate=False) if not p.requires_grad}
        for name, parameter in [*model.named_parameters(remove_duplicate=False)]:
            if not parameter.requires_grad and name in held and _same(held[name], parameter):
                holder, _, own = name.rpartition(".")
                setattr(model.get_submodule(holder), own, held[name])
    _ADAPTED.add(model)


def sampling_copy(model: PreTrainedModel, dtype: torch.dtype) -> PreTrainedModel:
    """A copy to sample with, where it is run, without gradients.

    An adapter's frozen weights are shared where they are held like that.
    """
    device = default_device()
    kept = {id(p): p for p in model.parameters() if is_adapted(model) and _as_held(p, device, dtype)}
    copied: PreTrainedModel = copy.deepcopy(model, kept).to(dtype=dtype)
    to_devices(copied)
    if is_adapted(copied):
        hold_indices(copied)
    return copied.eval().requires_grad_(False)


def copy_weights(source: torch.nn.Module, target: torch.nn.Module) -> None:
    """Give one model the weights of another of its shape; where these are sharded over processes, each must call this."""
    with torch.no_grad():
        for mine, theirs in zip(target.parameters(), source.parameters(), strict=True):
            if mine is not theirs:
                mine.copy_(theirs.full_tensor() if isinstance(theirs, DTensor) else theirs)


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a is not b and a.dtype == b.dtype and a.device == b.device and torch.equal(a, b)


def _as_held(parameter: torch.Tensor, device: torch.device, dtype: torch.dtype) -> bool:
    return not parameter.requires_grad and parameter.device.type == device.type and parameter.dtype == dtype
