"""Load and save causal language models: any Hugging Face folder or name, on the best device at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
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


def load_chat_model(name_or_folder: str | Path) -> ChatModel:
    """Load a model and its tokenizer in fp32.

    Raises:
        ModelError: if the folder or name cannot be loaded, or its tokenizer has no chat template.
    """
    where = str(name_or_folder)
    try:
        model = AutoModelForCausalLM.from_pretrained(where, dtype=torch.float32, use_safetensors=True)
        use_training_attention(model)
        tokenizer = _load_tokenizer(name_or_folder)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"no causal language model could be loaded: {error}",
            where=where,
            fix="give a folder written by save_pretrained, or the name of a model that this machine can reach",
        ) from error
    if tokenizer.chat_template is None:
        raise ModelError(
            "the tokenizer has no chat template", where=where, fix="use an instruct model, or add chat_template.jinja"
        )
    return ChatModel(model, tokenizer)


def _load_tokenizer(name_or_folder: str | Path) -> PreTrainedTokenizerBase:
    # AutoTokenizer swaps in the class that the model type suggests, whose pre-tokenizer may differ from the saved one.
    folder = Path(name_or_folder)
    if (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    return AutoTokenizer.from_pretrained(str(name_or_folder))
