"""Pretrained models as a start: made ready for a side of a dialogue, kept over saving, refused where they cannot serve."""

from __future__ import annotations

import json
import math
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM,
    AutoModelForImageTextToText,
    LlamaConfig,
    MambaConfig,
    PreTrainedConfig,
    dynamic_module_utils,
)
from transformers.models.gemma3.configuration_gemma3 import Gemma3Config, Gemma3TextConfig
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen3_5.configuration_qwen3_5 import Qwen3_5TextConfig

from chat_formats import tokenizer
from understudy.align.sft import fit
from understudy.config import ModelConfig, SFTConfig, load_config
from understudy.errors import ConfigError, ModelError
from understudy.models.adapters import trainable
from understudy.models.chat import ChatFormat
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.commit import BASE_COMMIT
from understudy.models.load import load_chat_format, load_chat_model, refuse_unreachable
from understudy.models.speaker import ModelSpeaker
from understudy.models.start import start_model
from understudy.models.tiny import END_OF_DIALOGUE, new_model
from understudy.pipeline.plan import check_comparison
from understudy.speaker import Request
from understudy.types import Dialogue, Message

SHAPE = {
    "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048,
}  # fmt: skip
MORE: dict[str, dict[str, object]] = {
    "gemma": {"head_dim": 8, "sliding_window": 16},
    "qwen3.5": {
        "head_dim": 8, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8,
        "linear_value_head_dim": 8, "layer_types": ["linear_attention", "full_attention"],
    },
}  # fmt: skip


def saved(folder: Path, name: str, seed: int = 0) -> Path:
    """A small random model of a real architecture with a real format, as a folder."""
    made = tokenizer("gemma" if name == "gemma" else "qwen")
    ids = {"vocab_size": len(made), "bos_token_id": None, "eos_token_id": 1, "pad_token_id": None}
    if name == "mamba":
        config: PreTrainedConfig = MambaConfig(hidden_size=32, num_hidden_layers=2, state_size=8, **ids)
    else:
        kind = {"qwen": Qwen2Config, "qwen3.5": Qwen3_5TextConfig, "gemma": Gemma3TextConfig}[name]
        config = kind(**SHAPE, **ids, **MORE.get(name, {}))
    torch.manual_seed(seed)
    ChatModel(AutoModelForCausalLM.from_config(config).float(), made).save(folder)
    return folder


def saved_with_images(folder: Path) -> Path:
    """As `saved`, of the architecture that Gemma 3 has on the hub from 4B on: a language model inside an image-text one."""
    made = tokenizer("gemma")
    text = {**SHAPE, "vocab_size": len(made), "head_dim": 8, "sliding_window": 16}
    eyes = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = Gemma3Config(
        text_config=text, vision_config={**eyes, "image_size": 28, "patch_size": 14}, mm_tokens_per_image=4
    )
    torch.manual_seed(0)
    ChatModel(AutoModelForImageTextToText.from_config(config).float(), made).save(folder)
    return folder


def _leaves_at_no(dialogue: Dialogue) -> Dialogue:
    said = (dialogue.messages[0], Message("agent", "no"), Message("user", "", end=True))
    return replace(dialogue, messages=said)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen", "gemma", "mamba"])
def test_a_pretrained_model_learns_to_speak_and_to_leave(
    name: str, tmp_path: Path, colour_logs: list[Dialogue]
) -> None:
    config = ModelConfig(base=str(saved(tmp_path / "base", name)), max_length=200)
    user = start_model([], config, 0)
    assert user.tokenizer.convert_tokens_to_ids(END_OF_DIALOGUE) == len(user.tokenizer) - 1
    assert user.model.get_input_embeddings().weight.shape[0] == len(user.tokenizer)
    assert context_length(user.model) == 200
    leaving = [_leaves_at_no(d) for d in colour_logs]
    sft = SFTConfig(steps=200, epochs=200, learning_rate=1e-2, patience=200, comparison_weight=0.0)
    epochs = fit(user, "user", leaving[:40], leaving[40:], sft, seed=0)
    assert epochs[-1].validation_nll < 0.5 * epochs[0].validation_nll
    user.save(tmp_path / "user")
    loaded = load_chat_model(tmp_path / "user")
    assert context_length(loaded.model) == 200
    speaker = ModelSpeaker(loaded, "user", width=4, max_message_tokens=12)
    said = (leaving[0].messages[0], Message("agent", "no"))
    answers = speaker.reply([Request(key, "user", "you want red", said, seed=key) for key in range(4)])
    assert sum(isinstance(answer, Message) and answer.end for answer in answers) >= 3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["qwen", "gemma", "qwen3.5"])
def test_an_adapter_learns_what_its_model_does_not(name: str, tmp_path: Path, colour_logs: list[Dialogue]) -> None:
    made = load_chat_model(saved(tmp_path / "new", name))
    made.tokenizer.pad_token = made.tokenizer.convert_ids_to_tokens(0)
    speaking = SFTConfig(steps=150, epochs=200, learning_rate=1e-2, patience=200, comparison_weight=0.0)
    fit(made, "user", colour_logs[:40], colour_logs[40:], speaking, seed=0)
    made.save(tmp_path / "base")
    config = ModelConfig(base=str(tmp_path / "base"), max_length=200, lora_rank=8, weights="bf16")
    user = start_model([], config, 0)
    frozen = {n: p.clone() for n, p in user.model.named_parameters() if not p.requires_grad}
    moved = trainable(user.model)
    assert sum(p.numel() for p in moved.values()) < 0.6 * sum(p.numel() for p in frozen.values())
    assert {p.dtype for p in moved.values()} == {torch.float32}
    assert {p.dtype for p in frozen.values()} == {torch.bfloat16}
    leaving = [_leaves_at_no(d) for d in colour_logs]
    sft = SFTConfig(steps=200, epochs=200, learning_rate=2e-2, patience=200, comparison_weight=0.0)
    epochs = fit(user, "user", leaving[:40], leaving[40:], sft, seed=0)
    assert epochs[-1].validation_nll < 0.6 * epochs[0].validation_nll
    assert all(torch.equal(p.cpu(), frozen[n].cpu()) for n, p in user.model.named_parameters() if n in frozen)
    user.save(tmp_path / "user")
    assert not (tmp_path / "user" / "model.safetensors").exists(), "the adapter alone is written"
    written = load_file(tmp_path / "user" / "adapter_model.safetensors")
    assert sum(value.numel() for value in written.values()) <= sum(p.numel() for p in moved.values())
    with pytest.raises(ModelError, match="cannot be the start of another"):
        start_model([], ModelConfig(base=str(tmp_path / "user")), 0)
    loaded = load_chat_model(tmp_path / "user")
    assert context_length(loaded.model) == 200
    assert trainable(loaded.model).keys() == moved.keys(), "RL goes on with it"
    ids = torch.randint(0, len(loaded.tokenizer), (2, 9), device=loaded.model.device)
    with torch.no_grad():
        assert torch.equal(loaded.model(input_ids=ids).logits, user.model.to(ids.device)(input_ids=ids).logits)
    speaker = ModelSpeaker(loaded, "user", width=4, max_message_tokens=12)
    said = (leaving[0].messages[0], Message("agent", "no"))
    answers = speaker.reply([Request(key, "user", "you want red", said, seed=key) for key in range(4)])
    assert sum(isinstance(answer, Message) and answer.end for answer in answers) >= 3, "the new token was trained"
    (tmp_path / "user" / "adapter_model.safetensors").unlink()
    with pytest.raises(ModelError, match="not wholly"):
        load_chat_model(tmp_path / "user")


def test_of_a_model_with_images_the_language_model_is_kept(tmp_path: Path) -> None:
    base = saved_with_images(tmp_path / "base")
    whole = AutoModelForImageTextToText.from_pretrained(base)
    found = load_chat_model(base)
    ids = torch.randint(0, len(found.tokenizer), (2, 30))
    with torch.no_grad():
        assert torch.equal(found.model(input_ids=ids).logits, whole(input_ids=ids).logits)
    assert load_chat_format(base, "agent")[1] == context_length(found.model) == 2048
    # An adapter stands beside the language model alone, and finds it again.
    config = ModelConfig(base=str(base), max_length=200, lora_rank=4, weights="bf16")
    adapted = start_model([], config, 0)
    assert not [name for name, _ in adapted.model.named_parameters() if "vision" in name]
    adapted.save(tmp_path / "adapter")
    again = load_chat_model(tmp_path / "adapter")
    assert trainable(again.model).keys() == trainable(adapted.model).keys()
    assert ChatFormat.of(again, "user").shown_apart
    # What is saved is a model of text alone.
    start_model([], ModelConfig(base=str(base), max_length=200), 0).save(tmp_path / "saved")
    written = load_file(tmp_path / "saved" / "model.safetensors")
    assert written
    assert not [name for name in written if "vision" in name or "projector" in name]
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    assert plain.config.model_type == "gemma3_text"


def test_a_model_that_lacks_weights_is_refused(tmp_path: Path) -> None:
    """transformers warns, and draws them at random."""
    folder = saved(tmp_path / "base", "qwen")
    weights = load_file(folder / "model.safetensors")
    lost = [name for name in weights if name.startswith("model.layers.1.")]
    kept = {name: value for name, value in weights.items() if name not in lost}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=rf"lacks {len(lost)} of the weights .*model\.layers\.1\."):
        load_chat_model(folder)
    # What no text goes through is not asked for.
    seeing = saved_with_images(tmp_path / "seeing")
    weights = load_file(seeing / "model.safetensors")
    kept = {name: value for name, value in weights.items() if not name.startswith("vision_tower.")}
    save_file(kept, seeing / "model.safetensors", metadata={"format": "pt"})
    load_chat_model(seeing)


def cached(folder: Path, cache: Path, name: str, commit: str) -> None:
    """Put a model where the hub's client keeps what it has fetched of a name, as the latest state of that."""
    place = cache / f"models--{name.replace('/', '--')}"
    shutil.copytree(folder, place / "snapshots" / commit)
    (place / "refs").mkdir(exist_ok=True)
    (place / "refs" / "main").write_text(commit)


def test_the_commit_of_a_model_by_name_is_kept_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(cache))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    first, second = saved(tmp_path / "first", "qwen"), saved(tmp_path / "second", "qwen", seed=1)
    cached(first, cache, "some/model", "a" * 40)
    config = ModelConfig(base="some/model", max_length=200)
    start_model([], config, 0).save(tmp_path / "whole")
    adapter = ModelConfig(base="some/model", max_length=200, lora_rank=4)
    start_model([], adapter, 0).save(tmp_path / "adapter")
    for folder in ("whole", "adapter"):
        assert json.loads((tmp_path / folder / "config.json").read_text())[BASE_COMMIT] == "a" * 40
    # The name moves on; an adapter stays with the weights that it was trained beside.
    cached(second, cache, "some/model", "b" * 40)
    read = load_chat_model(tmp_path / "adapter").model.get_input_embeddings().weight[:100].cpu()
    assert torch.equal(read, load_chat_model(first).model.get_input_embeddings().weight[:100])
    assert getattr(load_chat_model("some/model").model.config, BASE_COMMIT) == "b" * 40
    assert not hasattr(load_chat_model(first).model.config, BASE_COMMIT), "a folder has none"
    assert getattr(load_chat_model(tmp_path / "whole").model.config, BASE_COMMIT) == "a" * 40


_OWN_CODE = """
from pathlib import Path
from transformers import LlamaConfig, LlamaForCausalLM
Path({trace!r}).touch()
class OwnConfig(LlamaConfig):
    model_type = "own_of_understudy"
class OwnForCausalLM(LlamaForCausalLM):
    config_class = OwnConfig
"""


def test_code_that_comes_with_a_model_is_run_only_where_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    made, folder, trace = tokenizer("qwen"), tmp_path / "own", tmp_path / "it ran"
    config = LlamaConfig(**SHAPE, vocab_size=len(made))
    ChatModel(AutoModelForCausalLM.from_config(config).float(), made).save(folder)
    (folder / "modeling_own.py").write_text(_OWN_CODE.format(trace=str(trace)))
    written = json.loads((folder / "config.json").read_text()) | {
        "model_type": "own_of_understudy",
        "auto_map": {"AutoConfig": "modeling_own.OwnConfig", "AutoModelForCausalLM": "modeling_own.OwnForCausalLM"},
    }
    (folder / "config.json").write_text(json.dumps(written))
    for load in (load_chat_model, lambda place: load_chat_format(place, "user"), lambda p: refuse_unreachable(p, None)):
        with pytest.raises(ModelError, match=r"custom code"):
            load(folder)
    assert not trace.exists(), "nothing was run, and nobody was asked"
    with pytest.raises(ModelError, match="remote_code=true"):
        start_model([], ModelConfig(base=str(folder), max_length=200), 0)
    # What is saved brings the code along, and is trusted no more than what it came from.
    for more in ({}, {"lora_rank": 4}):
        made_ready = start_model([], ModelConfig(base=str(folder), max_length=200, remote_code=True, **more), 0)
        assert type(made_ready.model).__name__ == "OwnForCausalLM"
        assert trace.exists()
        made_ready.save(tmp_path / "saved")
        with pytest.raises(ModelError, match="remote_code=true"):
            load_chat_model(tmp_path / "saved")
        again = load_chat_model(tmp_path / "saved", remote_code=True)
        assert type(again.model).__name__ == "OwnForCausalLM"
        shutil.rmtree(tmp_path / "saved")


def test_adapters_that_cannot_be_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="adapters need a pretrained model"):
        load_config(overrides=["model.lora_rank=8"])
    with pytest.raises(ConfigError, match="small steps of training are lost"):
        load_config(overrides=["model.weights=bf16"])
    (tmp_path / "adapter_config.json").write_text("{}")
    with pytest.raises(ModelError, match="not written by us"):
        load_chat_model(tmp_path)


def test_a_template_may_be_given(tmp_path: Path) -> None:
    folder = saved(tmp_path / "base", "qwen")
    own = load_chat_model(folder)
    given = load_chat_model(folder, chat_template="chatml")
    assert "helpful assistant" in own.tokenizer.chat_template
    assert "helpful assistant" not in given.tokenizer.chat_template
    file = tmp_path / "mine.jinja"
    file.write_text("{{ messages[0].content }}\n")
    assert load_chat_model(folder, chat_template=str(file)).tokenizer.chat_template == "{{ messages[0].content }}"
    with pytest.raises(ModelError, match="chatml, mistral, phi, qwen3"):
        load_chat_model(folder, chat_template="chatlm")


def test_rates_of_models_from_scratch_are_refused_for_pretrained_ones() -> None:
    with pytest.raises(ConfigError, match="would wreck a pretrained one"):
        load_config(overrides=["user_model.base=some/model", "unseen_user_model.base=a/c"])
    with pytest.raises(ConfigError, match=r"rl.learning_rate"):
        load_config(overrides=["model.base=some/model", "unseen_user_model.base=a/c", "sft.learning_rate=1e-5"])
    with pytest.raises(ConfigError, match="remote_code is true, but base is not"):
        load_config(overrides=["user_model.remote_code=true"])
    with pytest.raises(ConfigError, match="not told that code"):
        load_config(
            overrides=["model.base=a/b", "unseen_user_model.base=a/c", "model.remote_code=true", "rl.engine=trl"],
            preset="pretrained",
        )
    with pytest.raises(ConfigError, match="base is not"):
        load_config(overrides=["user_model.revision=abc"])
    mixed = load_config(overrides=["model.base=a/b", "user_model.base=a/b"], preset="pretrained")
    with pytest.raises(ConfigError, match="would stay untrained"):
        check_comparison(mixed)
    config = load_config(
        overrides=["model.base=a/b", "user_model.base=a/b", "unseen_user_model.base=a/c"], preset="pretrained"
    )
    check_comparison(config)
    assert config.model.base == "a/b"


@pytest.mark.parametrize("hidden", [128, 768])
def test_a_new_model_begins_close_to_guessing_however_wide_it_is(hidden: int) -> None:
    """Its first loss is the log of the vocabulary, give or take three quarters of a nat; wide ones began 1.6 above."""
    shape = ModelConfig(hidden=hidden, layers=1, heads=4, kv_heads=2, intermediate=64, vocabulary=4096)
    model = new_model(shape, seed=0)
    ids = torch.randint(0, 4096, (4, 64), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = float(model(input_ids=ids, labels=ids).loss)
    assert abs(loss - math.log(4096)) < 0.75
