"""Low-rank adapters (LoRA, arXiv 2106.09685): a pretrained model stays as it is, and small matrices beside it are trained."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import PreTrainedModel

from understudy.errors import ModelError

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
_NAME = "default"
_WRAPPED = "base_model.model."
"""What peft's own wrapper puts before the names of a model's parameters."""
_ALPHA = 2
"""The adapters are scaled by alpha / rank; alpha is this often the rank."""
MATRICES = "lora_"
"""In the names of its matrices, and of nothing else."""
_FUSED_OUTPUT = {"falcon_h1", "falcon_mamba", "mamba", "mamba2", "nemotron_h"}
"""Model types whose kernels read the weight of `out_proj` past its layer; peft refuses an adapter there."""
_TRAINED = (MATRICES, "trainable_tokens_delta")
"""In the names of an adapter's parameters."""


def trainable(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that fine-tuning moves, by name: all of them, or an adapter's."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def is_adapted(model: PreTrainedModel) -> bool:
    """Whether an adapter stands beside the model."""
    return hasattr(model, "peft_config")


def add_adapter(model: PreTrainedModel, rank: int, *, token: int, revision: str | None, seed: int) -> None:
    """Freeze the model, and put an adapter beside every linear layer that can have one, in place; it begins as no change.

    Args:
        token: is trained as well, where it is read and (if that is another matrix) where it is written: it is new, and no
            adapter of a layer could teach it.
        revision: of the model by name, which the adapter's folder keeps; a commit, so that the same weights are found again.

    Raises:
        ModelError: if peft is not installed.
    """
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise ModelError(
            "adapters need peft, which is not installed", fix="pip install -e '.[lora]', or leave out lora_rank"
        ) from error
    read, written = model.get_input_embeddings(), model.get_output_embeddings()
    layers = [read] if written is None or written.weight is read.weight else [read, written]
    adapter = LoraConfig(
        r=rank,
        lora_alpha=_ALPHA * rank,
        target_modules="all-linear",
        exclude_modules=_without_adapter(model) or None,
        trainable_token_indices={_name(model, layer): [token] for layer in layers},
        base_model_name_or_path=model.name_or_path,
        revision=revision,
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model.add_adapter(adapter, _NAME)
    _train_alone(model)


def save_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Write the adapter as peft does, and beside it the config of its model, as that was made ready."""
    from peft import get_peft_model_state_dict

    folder.mkdir(parents=True, exist_ok=True)
    found: dict[str, torch.Tensor] = {}
    # Without whole embeddings, which would be kept where a row was added: the row is trained beside them.
    kept = get_peft_model_state_dict(model, adapter_name=_NAME, save_embedding_layers=False)
    for name, value in kept.items():
        # One matrix may be both read and written; it is kept once.
        if all(value.data_ptr() != other.data_ptr() for other in found.values()):
            found[name] = value.contiguous()
    save_file(found, folder / _WEIGHTS)
    model.peft_config[_NAME].save_pretrained(folder)
    model.config.save_pretrained(folder)


def attach_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Put a saved adapter beside the model that it was trained with, in place, to be trained on.

    Raises:
        ModelError: if peft is not installed.
    """
    try:
        from peft import LoraConfig
    except ImportError as error:
        raise ModelError(
            "is an adapter, and peft is not installed", where=str(folder), fix="pip install -e '.[lora]'"
        ) from error
    model.add_adapter(LoraConfig.from_pretrained(str(folder)), _NAME)
    _train_alone(model)  # before the weights are read, which would be rounded to those beside them
    read_adapter(model, folder)


def read_adapter(model: PreTrainedModel, folder: Path) -> None:
    """Give the adapter that a model has the values of a saved one of the same kind, in place."""
    from peft import set_peft_model_state_dict

    set_peft_model_state_dict(model, load_file(folder / _WEIGHTS), adapter_name=_NAME)


def merged_weights(model: PreTrainedModel, *, matrices: bool = True) -> Iterator[tuple[str, torch.Tensor]]:
    """The weights of a model with its adapter added to them, under the names that they have without one.

    One after the other, each in the dtype that it is held in; the model stays as it is, where merging in place and back would
    round what is frozen.

    Args:
        matrices: whether the matrices beside layers are added, and not the trained rows of a token alone.

    Raises:
        ModelError: if layers with an adapter share weights (Zamba).
    """
    from peft.tuners.lora import LoraLayer
    from peft.tuners.trainable_tokens import TrainableTokensLayer

    layers = {
        name: module for name, module in model.named_modules() if isinstance(module, LoraLayer | TrainableTokensLayer)
    }
    _refuse_shared({name: layer for name, layer in layers.items() if isinstance(layer, LoraLayer)})
    for name, parameter in model.named_parameters():
        if any(part in name for part in _TRAINED):
            continue
        value, (holder, _, attribute) = parameter.detach(), name.rpartition(".")
        while holder.endswith(".base_layer"):  # of experts several stand one around the other, one for each parameter
            holder = holder.removesuffix(".base_layer")
            layer = layers[holder]
            if isinstance(layer, TrainableTokensLayer):
                value = layer.get_merged_weights([_NAME]).detach()
            elif matrices and getattr(layer, "parameter_name", "weight") == attribute:
                value = (value.float() + layer.get_delta_weight(_NAME).detach()).to(value.dtype)
        yield name.replace(".base_layer", "").replace(".token_adapter", ""), value


def save_merged(model: PreTrainedModel, folder: Path, *, matrices: bool = True) -> None:
    """Write an ordinary model with the adapter added to its weights (see `merged_weights`), without tokenizer."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = dict(merged_weights(model, matrices=matrices))
    kept = model.state_dict().keys()  # some models hold more than parameters: a bias of their router, say
    whole |= {name.replace(".base_layer", ""): buffer for name, buffer in model.named_buffers() if name in kept}
    save_file({name: value.cpu().contiguous() for name, value in whole.items()}, folder / "model.safetensors")
    model.config.save_pretrained(folder)


def save_apart(model: PreTrainedModel, base: Path, adapter: Path) -> None:
    """Write what a trainer of peft's own wrapper starts from: the frozen weights as a model, and the matrices beside them.

    The trained rows of the added token are written into the model, and stay as they are. Without tokenizer.
    """
    from peft import LoraConfig

    save_merged(model, base, matrices=False)
    adapter.mkdir(parents=True, exist_ok=True)
    settings: LoraConfig = copy.copy(model.peft_config[_NAME])
    settings.trainable_token_indices, settings.base_model_name_or_path, settings.revision = None, str(base), None
    settings.save_pretrained(str(adapter))
    matrices = {f"{_WRAPPED}{name.replace(f'.{_NAME}', '')}": p.detach().cpu() for name, p in _matrices(model).items()}
    save_file({name: value.contiguous() for name, value in matrices.items()}, adapter / _WEIGHTS)


def take_matrices(model: PreTrainedModel, trained: Mapping[str, torch.Tensor]) -> None:
    """Give an adapter the matrices that peft's own wrapper holds after training, by their names there, in place.

    Raises:
        KeyError: if one is not there.
        ValueError: if one has another shape.
    """
    with torch.no_grad():
        for name, parameter in _matrices(model).items():
            found = trained[_WRAPPED + name]
            if found.shape != parameter.shape:
                raise ValueError(f"{name} has the shape {[*found.shape]}, not {[*parameter.shape]}")
            parameter.copy_(found)


def _matrices(model: PreTrainedModel) -> dict[str, torch.nn.Parameter]:
    return {name: parameter for name, parameter in model.named_parameters() if MATRICES in name}


def hold_indices(model: PreTrainedModel) -> None:
    """Let layers with trained rows hold the rows' indices on their device, in place.

    peft takes them there from the host in each pass, which no CUDA graph can.
    """
    from peft.tuners.trainable_tokens import TrainableTokensLayer

    for layer in model.modules():
        if isinstance(layer, TrainableTokensLayer):
            indices = torch.tensor(layer.token_indices[_NAME], device=layer.base_layer.weight.device)
            layer.get_merged_weights = partial(_with_rows, layer, indices)


def _with_rows(layer: Any, indices: torch.Tensor, active: list[str]) -> torch.Tensor:
    weight: torch.Tensor = layer.base_layer.weight
    return weight.index_copy(0, indices, layer.trainable_tokens_delta[_NAME].to(weight))


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds an adapter, not a model."""
    return (folder / _CONFIG).is_file()


def adapter_of(folder: Path) -> dict[str, Any]:
    """What a saved adapter says of itself."""
    found: dict[str, Any] = json.loads((folder / _CONFIG).read_text(encoding="utf-8"))
    return found


def _train_alone(model: PreTrainedModel) -> None:
    """Train the adapter and nothing else, in fp32 whatever the weights beside it are held in: small steps would be lost."""
    for name, parameter in model.named_parameters():
        own = any(part in name for part in _TRAINED)
        parameter.requires_grad_(own)
        if own:
            parameter.data = parameter.data.float()


def _without_adapter(model: PreTrainedModel) -> list[str]:
    """Names of linear layers that give more than a product, or whose weight is read past them: an adapter would do nothing."""
    found = set()
    for name, module in model.named_modules():
        last = name.rpartition(".")[2]
        overlooked = last == "dt_proj" or (last == "out_proj" and model.config.model_type in _FUSED_OUTPUT)
        if isinstance(module, torch.nn.Linear) and (overlooked or type(module).forward is not torch.nn.Linear.forward):
            found.add(last)
    return sorted(found)


def _refuse_shared(layers: Mapping[str, Any]) -> None:
    """Where one weight stands in several places, each with matrices of its own, it cannot be the sum with all of them."""
    seen: set[int] = set()
    for name, layer in layers.items():
        weight = getattr(layer.get_base_layer(), "weight", None)
        if weight is not None and id(weight) in seen:
            raise ModelError(
                f"{name} shares its weights with another layer, which has an adapter of its own: they have no sum",
                fix="leave out lora_rank, or leave rl.engine at local, or at trl without rl.vllm",
            )
        seen.add(id(weight))


def _name(model: PreTrainedModel, layer: torch.nn.Module) -> str:
    whole: str = next(name for name, module in model.named_modules() if module is layer)
    return whole.rpartition(".")[2]
