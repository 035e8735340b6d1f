"""Load causal language models: any Hugging Face folder or name, and adapters of them."""

from __future__ import annotations

from pathlib import Path

from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PreTrainedConfig,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging as transformers_logging

from understudy.config import Weights
from understudy.errors import ModelError
from understudy.models.adapters import adapter_of, attach_adapter, is_adapter
from understudy.models.attention import use_training_attention
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import CONTEXT_LENGTH, RESTATE_PROMPT, SHOWN_APART, ChatModel, config_length
from understudy.models.commit import BASE_COMMIT, commit_of
from understudy.models.placement import DEVICE_MAP, to_devices
from understudy.models.pretrained import load_causal
from understudy.models.ready import make_ready
from understudy.models.shipped import template_text
from understudy.models.weights import share_frozen
from understudy.types import Role

transformers_logging.disable_progress_bar()  # it would break into our own progress bars


def load_chat_model(
    name_or_folder: str | Path,
    *,
    revision: str | None = None,
    chat_template: str | None = None,
    weights: Weights = "fp32",
    remote_code: bool = False,
) -> ChatModel:
    """Load a model and its tokenizer; weights as safetensors alone.

    A folder with an adapter loads the model that it was trained with, as it was made ready then, and the adapter. Of an
    image-text model, the language model alone is kept (see `text_only`). The commit of a model by name is kept in its config.

    Args:
        revision: commit, tag or branch of a model by name.
        chat_template: see `template_text`; the model's own where None.
        weights: how they are held; an adapter's folder keeps it.
        remote_code: whether Python code that comes with the model may be run. It can do all that you can: trust its authors.

    Raises:
        ModelError: if the folder or name cannot be loaded, lacks some of the model's weights, or wraps a language model that
            cannot be taken out; or if its tokenizer has no chat template.
    """
    where = str(name_or_folder)
    if is_adapter(Path(name_or_folder)):
        return _load_adapted(Path(name_or_folder), remote_code)
    commit = commit_of(where, revision)
    revision = commit or revision  # tokenizer and weights of one state, even while that of the name changes
    try:
        model = load_causal(where, revision=revision, weights=weights, remote_code=remote_code)
        use_training_attention(model)
        tokenizer = _load_tokenizer(name_or_folder, revision, remote_code)
    except (OSError, ValueError, ImportError, SafetensorError) as error:
        raise _unloadable("no causal language model could be loaded", where, error) from error
    if commit is not None:
        setattr(model.config, BASE_COMMIT, commit)
    if chat_template is not None:
        tokenizer.chat_template = template_text(chat_template)
    if tokenizer.chat_template is None:
        raise ModelError(
            "the tokenizer has no chat template", where=where, fix="use an instruct model, or add chat_template.jinja"
        )
    return ChatModel(model, tokenizer)


def refuse_unreachable(name: str, revision: str | None, *, remote_code: bool = False) -> None:
    """Tell before any work whether a model can be reached by its name.

    Raises:
        ModelError: if it can't.
    """
    try:
        AutoConfig.from_pretrained(name, revision=revision or "main", trust_remote_code=remote_code)
    except (OSError, ValueError) as error:
        raise _unloadable("no model could be found", name, error) from error


def load_chat_format(folder: Path, side: Role) -> tuple[ChatFormat, int]:
    """How a saved model writes a dialogue down, and the longest one that it is used for, without its weights.

    Raises:
        ModelError: if the folder cannot be read, or its chat template does not fit (see `ChatFormat`).
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
        tokenizer = _load_tokenizer(folder, None, remote_code=False)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"holds no model: {error}", where=str(folder), fix="give a folder written by save_pretrained"
        ) from error
    length = config_length(config.get_text_config())
    return ChatFormat.read(config, tokenizer, side), length


def _load_adapted(folder: Path, remote_code: bool) -> ChatModel:
    try:
        adapter = adapter_of(folder)
        kept = PreTrainedConfig.get_config_dict(folder)[0]
        base = adapter["base_model_name_or_path"]
        weights: Weights = "bf16" if kept.get("dtype") == "bfloat16" else "fp32"
        template = str(folder / "chat_template.jinja")
        found = load_chat_model(
            base,
            revision=adapter.get("revision"),
            chat_template=template,
            weights=weights,
            remote_code=remote_code,
        )
        make_ready(
            found,
            max_length=kept[CONTEXT_LENGTH],
            restate_prompt=kept[RESTATE_PROMPT],
            shown_apart=kept.get(SHOWN_APART, False),
            device_map=kept.get(DEVICE_MAP),
        )
        attach_adapter(found.model, folder)
        to_devices(found.model)
        share_frozen(found.model)
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise ModelError(
            f"holds an adapter that was not written by us, or not wholly: {error!r}",
            where=str(folder),
            fix="merge it into its model with peft (merge_and_unload), and give the folder of that",
        ) from error
    except ModelError as error:
        raise ModelError(f"is an adapter, whose model cannot be loaded: {error}", where=str(folder)) from error
    return ChatModel(found.model, _load_tokenizer(folder, None, remote_code))


def _load_tokenizer(name_or_folder: str | Path, revision: str | None, remote_code: bool) -> PreTrainedTokenizerBase:
    # AutoTokenizer swaps in the class that the model type suggests, whose pre-tokenizer may differ from the saved one.
    folder = Path(name_or_folder)
    if (folder / "tokenizer.json").is_file():
        return PreTrainedTokenizerFast.from_pretrained(folder)
    return AutoTokenizer.from_pretrained(
        str(name_or_folder), revision=revision or "main", trust_remote_code=remote_code
    )


def _unloadable(what: str, where: str, error: Exception) -> ModelError:
    fix = "give a folder written by save_pretrained, or the name of a model that this machine can reach"
    if "trust_remote_code" in str(error):
        fix = (
            "use a model that transformers has code for; or, if you trust its authors, set remote_code=true beside base where "
            "the command has that key (compare, align)"
        )
    return ModelError(f"{what}: {error}", where=where, fix=fix)
