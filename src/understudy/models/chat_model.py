"""A causal language model with its tokenizer: what is loaded, fine-tuned and saved as one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from understudy.models.adapters import is_adapted, save_adapter

CONTEXT_LENGTH = "understudy_context_length"
"""Key of a model's config: the longest dialogue that it is used for, where that is less than it could hold."""
RESTATE_PROMPT = "restate_prompt"
"""Key of a model's config: whether its prompt is given again before each message of the other side."""
SHOWN_APART = "shown_apart"
"""Key of a model's config: whether what is shown is a message of its own, or (also where this alone is missing) heads the
own turn."""


@dataclass(frozen=True, slots=True)
class ChatModel:
    """A causal language model with the tokenizer that holds its chat template."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase

    @property
    def parameters(self) -> int:
        return sum(p.numel() for p in self.model.parameters())

    def save(self, folder: Path) -> None:
        """Write an ordinary model folder that `from_pretrained` loads; of a model with an adapter, the adapter alone."""
        if is_adapted(self.model):
            save_adapter(self.model, folder)
        else:
            self.model.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


UNLIMITED = 32_768
"""Tokens of a dialogue with a model that could read on for ever."""


def context_length(model: PreTrainedModel) -> int:
    """The longest dialogue in tokens that a model is used for: what it was made for, or less where a config said so."""
    return config_length(model.config)


def config_length(config: PreTrainedConfig) -> int:
    """As `context_length`, of a model's config alone."""
    # Models without any attention, which have no positions, say nothing of it.
    longest = int(getattr(config, "max_position_embeddings", None) or UNLIMITED)
    return min(longest, int(getattr(config, CONTEXT_LENGTH, longest)))
