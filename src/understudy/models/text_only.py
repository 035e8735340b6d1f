"""The language model inside one that reads images as well: taken out, and from then on a model of text alone."""

from __future__ import annotations

import torch
from transformers import PreTrainedConfig, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING

from understudy.errors import ModelError


def holds_text_model(config: PreTrainedConfig) -> bool:
    """Whether a config is that of an image-text model with a language model inside (Gemma 3 from 4B on, LLaVA).

    Raises:
        ModelError: if it is, and its text has no class of its own in transformers.
    """
    text = config.get_text_config()
    if text is config or type(config) not in MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING:
        return False
    if type(text) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise _refusal(config, f"transformers has no causal language model of the type {text.model_type}")
    return True


def text_only(wrapper: PreTrainedModel) -> PreTrainedModel:
    """The language model and the output layer of a model that `holds_text_model`, in the class of its text config.

    The weights are the wrapper's own, not copies; its other parts are left out, so that no adapter, optimiser or saved
    folder holds them. What comes of it is saved and loaded as any model of text.

    Raises:
        ModelError: if that class has other parts than the wrapper's language model.
    """
    body, head = wrapper.get_decoder(), wrapper.get_output_embeddings()
    config = body.config
    # A matrix that is both read and written stays one, in training and in a saved folder; wrapper and text may differ there.
    config.tie_word_embeddings = head.weight is body.get_input_embeddings().weight
    with torch.device("meta"):
        found: PreTrainedModel = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)](config)
    if type(found.base_model) is not type(body):
        raise _refusal(wrapper.config, f"it is a {type(body).__name__}, not a {type(found.base_model).__name__}")
    setattr(found, found.base_model_prefix, body)
    found.set_output_embeddings(head)
    if any(weight.is_meta for weight in (*found.parameters(), *found.buffers())):
        raise _refusal(wrapper.config, f"{type(found).__name__} has parts that it lacks")
    found.generation_config = wrapper.generation_config
    config.name_or_path = found.name_or_path = wrapper.name_or_path
    return found.eval()


def _refusal(config: PreTrainedConfig, why: str) -> ModelError:
    return ModelError(
        f"is an image-text model ({config.model_type}) whose language model cannot be taken out: {why}",
        where=str(config.name_or_path),
        fix="use a model of text alone, or an image-text one around such a model (Gemma 3, Mistral Small 3.1)",
    )
