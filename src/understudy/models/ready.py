"""What a pretrained model needs to take a side of a dialogue."""

from __future__ import annotations

import torch
from tokenizers import AddedToken
from transformers import PreTrainedModel

from understudy.models.chat_model import CONTEXT_LENGTH, RESTATE_PROMPT, SHOWN_APART, ChatModel
from understudy.models.placement import DEVICE_MAP
from understudy.models.tiny import END_OF_DIALOGUE


def make_ready(
    chat_model: ChatModel,
    *,
    max_length: int,
    restate_prompt: bool,
    shown_apart: bool = True,
    device_map: str | None = None,
) -> None:
    """Give a pretrained model what a side of a dialogue needs, in place.

    A token to leave with, whose embedding begins as the mean of all; a token for padding; how long a dialogue may be,
    whether its prompt is restated, where what is shown stands and whether it is spread over GPUs, which are kept in its config.
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
    setattr(model.config, RESTATE_PROMPT, restate_prompt)
    setattr(model.config, SHOWN_APART, shown_apart)
    if device_map is not None:
        setattr(model.config, DEVICE_MAP, device_map)


def _begin_as_mean(model: PreTrainedModel, token: int, known: int) -> None:
    """Only a token that was added: its row may be a new one, or one of those that pad the matrix and were never trained."""
    if token < known:
        return
    for layer in (model.get_input_embeddings(), model.get_output_embeddings()):
        if layer is not None:
            with torch.no_grad():
                layer.weight[token] = layer.weight[:known].mean(0)
