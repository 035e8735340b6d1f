"""Load and save causal language models: any Hugging Face folder or name, on the best device at hand."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from understudy.errors import ModelError
from understudy.models.attention import use_training_attention

CONTEXT_LENGTH = "understudy_context_length"
"""Key of a model's config: the longest dialogue that it is used for, where that is less than it could hold."""

transformers_logging.disable_progress_bar()  # it would break into our own progress bars


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A causal language model with the tokenizer that holds its chat template."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def save(self, folder: Path) -> None:
        """Write an ordinary model folder that `from_pretrained` loads."""
        self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def context_length(model: PreTrainedModel) -> int:
    """The longest dialogue in tokens that a model is used for: what it was made for, or less where a config said so."""
    longest = int(model.config.max_position_embeddings)
    return min(longest, int(getattr(model.config, CONTEXT_LENGTH, longest)))


def load_chat_model(
    name_or_folder: str | Path, *, revision: str | None = None, chat_template: str | None = None
) -> ChatModel:
    """Load a model and its tokenizer in fp32; weights as safetensors alone, and no code that comes with a model.

    Args:
        revision: commit, tag or branch of a model by name.
        chat_template: see `template_text`; the model's own where None.

    Raises:
        ModelError: if the folder or name cannot be loaded, or its tokenizer has no chat template.
    """
    where = str(name_or_folder)
    try:
        model = AutoModelForCausalLM.from_pretrained(
            where, dtype=torch.float32, use_safetensors=True, revision=revision or "main"
        )
        use_training_attention(model)
        tokenizer = _load_tokenizer(name_or_folder, revision)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise ModelError(
            f"no causal language model could be loaded: {error}",
            where=where,
            fix="give a folder written by save_pretrained, or the name of a model that this machine can reach",
        ) from error
    if chat_template is not None:
        tokenizer.chat_template = template_text(chat_template)
    if tokenizer.chat_template is None:
        raise ModelError(
            "the tokenizer has no chat template", where=where, fix="use an instruct model, or add chat_template.jinja"
        )
    return ChatModel(model, tokenizer)


def template_text(name_or_file: str) -> str:
    """A chat template of the package, `chatml` or `mistral`, or one in a Jinja file.

    Raises:
        ModelError: if it is neither.
    """
    folder = resources.files("understudy.models") / "templates"
    shipped = {file.name.removesuffix(".jinja"): file for file in folder.iterdir() if file.name.endswith(".jinja")}
    try:
        text = shipped[name_or_file].read_text() if name_or_file in shipped else Path(name_or_file).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(
            f"is no chat template: {error}",
            where=name_or_file,
            fix=f"use {', '.join(sorted(shipped))}, or the path of a Jinja file",
        ) from None
    return text.removesuffix("\n")


def _load_tokenizer(name_or_folder: str | Path, revision: str | None) -> PreTrainedTokenizerBase:
    # AutoTokenizer swaps in the class that the model type suggests, whose pre-tokenizer may differ from the saved one.
    folder = Path(name_or_folder)
    if (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    return AutoTokenizer.from_pretrained(str(name_or_folder), revision=revision or "main")
