"""Where a model stands: whole on one device, or its layers spread over the GPUs that this process sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch
from transformers import PreTrainedModel

from understudy.errors import ModelError
from understudy.models.precision import default_device

DEVICE_MAP = "understudy_device_map"
"""Key of a model's config: `auto` where its layers are spread over all GPUs that a process sees."""


def to_devices(model: PreTrainedModel) -> torch.device:
    """Move a model, in place, to where it is run.

    Returns:
        The device for its tokens, on which its output comes back.

    Raises:
        ModelError: if it is to be spread, and the GPUs together have too little memory, or accelerate is not installed.
    """
    if getattr(model.config, DEVICE_MAP, None) == "auto" and torch.cuda.device_count() > 1 and not is_spread(model):
        devices = _balanced(model)
        if len({*devices.values()}) > 1:
            spread(model, devices)
    if is_spread(model):
        device: torch.device = model.get_input_embeddings().weight.device
        return device
    model.to(default_device())
    return default_device()


def is_spread(model: PreTrainedModel) -> bool:
    """Whether its layers stand on several devices."""
    return len({*getattr(model, "hf_device_map", {}).values()}) > 1


def spread(model: PreTrainedModel, devices: Mapping[str, torch.device]) -> None:
    """Put the modules named on their devices, in place; each is given its tensors there, and the output goes to the first.

    Args:
        devices: of every parameter, by the name of a module that holds it.
    """
    from accelerate.utils import send_to_device

    for name, device in devices.items():
        given_there = partial(_given_on, send_to_device, device)
        for module in _called(model.get_submodule(name).to(device)):
            module.register_forward_pre_hook(given_there, with_kwargs=True)
    first = model.get_input_embeddings().weight.device
    # The model without its output layer is also called by itself, for hidden states.
    for module in {model, model.base_model}:
        module.register_forward_hook(lambda module, arguments, output: send_to_device(output, first))
    model.hf_device_map = dict(devices)  # the name that transformers gives it


def _balanced(model: PreTrainedModel) -> dict[str, torch.device]:
    """About as much of the model on each GPU that the process sees."""
    try:
        from accelerate.utils import get_balanced_memory, infer_auto_device_map
    except ImportError as error:
        raise ModelError(
            "a model is spread over GPUs by accelerate, which is not installed",
            fix="pip install accelerate, or leave out device_map",
        ) from error
    whole = [*(model._no_split_modules or ())]
    if not whole:
        raise ModelError(
            f"does not say which of its modules ({type(model).__name__}) must stay whole",
            where=str(model.name_or_path),
            fix="leave out device_map, or use a model that transformers has code for",
        )
    memory = get_balanced_memory(model, no_split_module_classes=whole)
    found = infer_auto_device_map(
        model, max_memory={gpu: size for gpu, size in memory.items() if gpu != "cpu"}, no_split_module_classes=whole
    )
    if {"cpu", "disk"} & {*found.values()}:
        raise ModelError(
            f"needs more memory than the {torch.cuda.device_count()} GPUs that are seen have left",
            where=str(model.name_or_path),
            fix="let more GPUs be seen, or hold less: an adapter (lora_rank) over weights in bf16",
        )
    return {name: torch.device("cuda", gpu) for name, gpu in found.items()}


def _called(module: torch.nn.Module) -> Iterator[torch.nn.Module]:
    """A module, or what is in it where it is a list, which is never called itself."""
    if isinstance(module, torch.nn.ModuleList):
        for part in module:
            yield from _called(part)
    else:
        yield module


def _given_on(
    send: Callable[..., Any], device: torch.device, module: torch.nn.Module, arguments: Any, keywords: Any
) -> tuple[Any, Any]:
    return send(arguments, device), send(keywords, device)
