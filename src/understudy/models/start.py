"""The model that fine-tuning starts from: a pretrained one made ready, or a tiny one from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import AddedToken
from transformers import PreTrainedModel

from understudy.config import ModelConfig
from understudy.models.load import CONTEXT_LENGTH, ChatModel, load_chat_model
from understudy.models.tiny import END_OF_DIALOGUE, make_tiny


def start_model(texts: Iterable[str], config: ModelConfig, seed: int, start: Path | None = None) -> ChatModel:
    """`config.base` made ready, or a tiny model (see `make_tiny`, for which the other arguments are).

    Raises:
        ModelError: if `config.base` or its template cannot be loaded.
    """
    if config.base is None:
        return make_tiny(texts, config, seed, start)
    chat_model = load_chat_model(config.base, revision=config.revision, chat_template=config.chat_template)
    make_ready(chat_model, max_length=config.max_length, restate_prompt=config.prompt == "each turn")
    return chat_model


def make_ready(chat_model: ChatModel, *, max_length: int, restate_prompt: bool) -> None:
    """Give a pretrained model what a side of a dialogue needs, in place.

    A token to leave with, whose embedding begins as the mean of all; a token for padding; how long a dialogue may be and
    whether its prompt is restated, which are kept in its config.
    """
    model, tokenizer = chat_model.model, chat_model.tokenizer
    known = len(tokenizer)
    if tokenizer.convert_tokens_to_ids(END_OF_DIALOGUE) in (None, tokenizer.unk_token_id):
        tokenizer.add_tokens([AddedToken(END_OF_DIALOGUE, special=True, normalized=False)], special_tokens=True)
    if len(tokenizer) > model.get_input_embeddings().weight.shape[0]:
        model.resize_token_embeddings(len(tokenizer))
    _begin_as_mean(model, tokenizer.convert_tokens_to_ids(END_OF_DIALOGUE), known)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or END_OF_DIALOGUE
    setattr(model.config, CONTEXT_LENGTH, max_length)
    model.config.restate_prompt = restate_prompt


def _begin_as_mean(model: PreTrainedModel, token: int, known: int) -> None:
    """Only a token that was added: its row may be a new one, or one of those that pad the matrix and were never trained."""
    if token < known:
        return
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        if layer is not None:
            with torch.no_grad():
                layer.weight[token] = layer.weight[:known].mean(0)
