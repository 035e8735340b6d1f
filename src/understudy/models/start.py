"""The model that fine-tuning starts from: a pretrained one made ready, or a tiny one from scratch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from understudy.config import ModelConfig
from understudy.errors import ModelError
from understudy.models.adapters import add_adapter, is_adapter
from understudy.models.chat_model import ChatModel
from understudy.models.commit import BASE_COMMIT
from understudy.models.load import load_chat_model
from understudy.models.ready import make_ready
from understudy.models.tiny import END_OF_DIALOGUE, make_tiny


def start_model(texts: Iterable[str], config: ModelConfig, seed: int, start: Path | None = None) -> ChatModel:
    """`config.base` made ready, or a tiny model (see `make_tiny`, for which the other arguments are).

    Raises:
        ModelError: if `config.base` or its template cannot be loaded.
    """
    if config.base is None:
        return make_tiny(texts, config, seed, start)
    if is_adapter(Path(config.base)):
        raise ModelError(
            "is an adapter, which cannot be the start of another",
            where=config.base,
            fix="merge it into its model with peft (merge_and_unload), and give the folder of that",
        )
    chat_model = load_chat_model(
        config.base,
        revision=config.revision,
        chat_template=config.chat_template,
        weights=config.weights,
        remote_code=config.remote_code,
    )
    make_ready(
        chat_model,
        max_length=config.max_length,
        restate_prompt=config.prompt == "each turn",
        device_map=config.device_map,
    )
    if config.lora_rank is not None:
        token = chat_model.tokenizer.convert_tokens_to_ids(END_OF_DIALOGUE)
        revision = getattr(chat_model.model.config, BASE_COMMIT, config.revision)
        add_adapter(chat_model.model, config.lora_rank, token=token, revision=revision, seed=seed)
    return chat_model
