"""Tiny Llama-architecture models made from scratch, with a byte-level BPE tokenizer trained on the logs.

They are saved as ordinary model folders: everything that runs on them runs on any Hugging Face causal LM.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from understudy.config import ModelConfig
from understudy.models.attention import use_training_attention
from understudy.models.chat_model import RESTATE_PROMPT, SHOWN_APART, ChatModel

END_OF_TURN = "<|eot|>"
END_OF_DIALOGUE = "<|leaves|>"
PAD = "<|pad|>"
ROLES = ("system", "user", "assistant")
SPECIAL_TOKENS = (PAD, END_OF_TURN, END_OF_DIALOGUE, *(f"<|{role}|>" for role in ROLES))

CHAT_TEMPLATE = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.end %}" + END_OF_DIALOGUE + "{% endif %}"
    "{{ m.content }}" + END_OF_TURN + "{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most `vocabulary` tokens: any text can be written, common words are whole."""
    inner = Tokenizer(models.BPE())
    # A leading space makes the first word of a message the same token as elsewhere; digits stay single so that counts
    # and values can be compared; punctuation stays apart. Digits are split off last: each piece given to `ByteLevel` gets a
    # space of its own, which would stand in what a model says, and who hears it would read tokens that no log has.
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.ByteLevel(add_prefix_space=True), pre_tokenizers.Digits(individual_digits=True)]
    )
    inner.decoder = decoders.ByteLevel()
    inner.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
            min_frequency=3,
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token=PAD,
        eos_token=END_OF_TURN,
        additional_special_tokens=[END_OF_DIALOGUE, *(f"<|{role}|>" for role in ROLES)],
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def new_model(config: ModelConfig, seed: int) -> LlamaForCausalLM:
    """A freshly initialised model (RoPE, tied embeddings) of the Llama architecture."""
    torch.manual_seed(seed)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=config.vocabulary,
            hidden_size=config.hidden,
            intermediate_size=config.intermediate,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            num_key_value_heads=config.kv_heads,
            max_position_embeddings=config.max_length,
            # At the usual 0.02 attention of tiny models starts out flat and stays so for long; wide ones begin with logits
            # of about unit variance.
            initializer_range=min(0.06, config.hidden**-0.5),
            tie_word_embeddings=True,
            pad_token_id=0,
            eos_token_id=1,
            bos_token_id=None,
            **{RESTATE_PROMPT: config.prompt == "each turn", SHOWN_APART: True},
        )
    )
    use_training_attention(model)
    return model


def make_tiny(texts: Iterable[str], config: ModelConfig, seed: int, start: Path | None = None) -> ChatModel:
    """A new model with a tokenizer trained on `texts`.

    Args:
        seed: of the weights, where there is no `start`.
        start: model folder to take the weights from (same shape), for example one that has learned to copy.
    """
    tokenizer = train_tokenizer(texts, config.vocabulary)
    model = new_model(config, seed)
    if start is not None:
        model.load_state_dict(LlamaForCausalLM.from_pretrained(start).state_dict())
    return ChatModel(model, tokenizer)
