"""Tokenizers with the special tokens and formats of real model families, in minimal templates of our own."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from understudy.models.shipped import template_text

TEMPLATES = Path(__file__).parent / "fixtures" / "templates"
SPECIAL = {
    "gemma": ["<bos>", "<start_of_turn>", "<end_of_turn>"],
    "qwen": ["<|im_start|>", "<|im_end|>"],
    "qwen_thinking": ["<|im_start|>", "<|im_end|>", "<think>", "</think>"],
    "deepseek": ["<bos>", "<|User|>", "<|Assistant|>", "<|end|>"],
    "llama": ["<bos>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "llama_dated": ["<bos>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"],
    "mistral": ["<bos>", "</s>", "[INST]", "[/INST]"],
    "phi": ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>", "<|endoftext|>"],
}
END_OF_SEQUENCE = {"mistral": "</s>", "phi": "<|endoftext|>", "deepseek": "<|end|>"}
PATCHES = {"phi": "phi", "qwen_thinking": "qwen3"}
"""Families whose own template rewrites history, and the template of the package in its place."""


def tokenizer(name: str) -> PreTrainedTokenizerFast:
    """A tokenizer with the family's special tokens and its format."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(special_tokens=SPECIAL[name], initial_alphabet=alphabet, show_progress=False)
    inner.train_from_iterator(["what size ? large hi there"] * 5, trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=inner, clean_up_tokenization_spaces=False)
    made.add_special_tokens({"additional_special_tokens": SPECIAL[name]})
    made.bos_token = "<bos>" if "<bos>" in SPECIAL[name] else None
    made.eos_token = END_OF_SEQUENCE.get(name)
    made.chat_template = (TEMPLATES / f"{name}.jinja").read_text().removesuffix("\n")
    return made


def usable(name: str) -> PreTrainedTokenizerFast:
    """As `tokenizer`, with the template of the package where the family's own would be refused."""
    made = tokenizer(name)
    if name in PATCHES:
        made.chat_template = template_text(PATCHES[name])
    return made
