"""The sampler on small random models of real architectures: what it says has the likelihood that one forward pass gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, LlamaConfig, PreTrainedModel
from transformers.models.cohere2.configuration_cohere2 import Cohere2Config
from transformers.models.deepseek_v3.configuration_deepseek_v3 import DeepseekV3Config
from transformers.models.gemma.configuration_gemma import GemmaConfig
from transformers.models.gemma2.configuration_gemma2 import Gemma2Config
from transformers.models.gemma3.configuration_gemma3 import Gemma3Config, Gemma3TextConfig
from transformers.models.gemma3n.configuration_gemma3n import Gemma3nTextConfig
from transformers.models.gemma4.configuration_gemma4 import Gemma4TextConfig
from transformers.models.glm4.configuration_glm4 import Glm4Config
from transformers.models.gpt2.configuration_gpt2 import GPT2Config
from transformers.models.gpt_oss.configuration_gpt_oss import GptOssConfig
from transformers.models.granite.configuration_granite import GraniteConfig
from transformers.models.llama4.configuration_llama4 import Llama4TextConfig
from transformers.models.llava.configuration_llava import LlavaConfig
from transformers.models.mistral.configuration_mistral import MistralConfig
from transformers.models.mixtral.configuration_mixtral import MixtralConfig
from transformers.models.olmo3.configuration_olmo3 import Olmo3Config
from transformers.models.phi3.configuration_phi3 import Phi3Config
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen2_5_vl.configuration_qwen2_5_vl import Qwen2_5_VLConfig
from transformers.models.qwen3.configuration_qwen3 import Qwen3Config
from transformers.models.qwen3_moe.configuration_qwen3_moe import Qwen3MoeConfig
from transformers.models.smollm3.configuration_smollm3 import SmolLM3Config

from understudy.errors import ModelError
from understudy.models.attention import TRAINING_ATTENTION, decoding_attention, use_training_attention
from understudy.models.chat_model import context_length
from understudy.models.sampler import Sampler, layer_kinds
from understudy.models.text_only import holds_text_model, text_only

SHAPE: dict[str, Any] = {
    "vocab_size": 200, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 256, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2,
}  # fmt: skip
WINDOWED: dict[str, Any] = {**SHAPE, "head_dim": 8, "sliding_window": 16}
FOUR_LAYERS: dict[str, Any] = {"num_hidden_layers": 4, "layer_types": ["sliding_attention", "full_attention"] * 2}
EYES: dict[str, Any] = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28,
    "patch_size": 14,
}  # fmt: skip
CONFIGS = {
    "llama": LlamaConfig(**SHAPE),
    "qwen2": Qwen2Config(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE, head_dim=8),
    "mistral": MistralConfig(**SHAPE, sliding_window=None),
    "mistral, window": MistralConfig(**SHAPE, sliding_window=16),
    "gemma": GemmaConfig(**SHAPE, head_dim=8),
    "gemma2, window and softcap": Gemma2Config(**SHAPE, head_dim=8, sliding_window=16),
    "gemma3, window": Gemma3TextConfig(**WINDOWED),
    "gemma3 with images, as on the hub": Gemma3Config(text_config=WINDOWED, vision_config=EYES, mm_tokens_per_image=4),
    "llava": LlavaConfig(
        text_config={"model_type": "llama", **SHAPE}, vision_config={"model_type": "clip_vision_model", **EYES}
    ),
    "phi3": Phi3Config(**SHAPE),
    "gemma4, heads of two sizes, keys shared by layers": Gemma4TextConfig(
        **WINDOWED | FOUR_LAYERS, global_head_dim=16, num_kv_shared_layers=2, hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=200,
    ),
    "gemma3n, keys shared by layers": Gemma3nTextConfig(
        **WINDOWED | FOUR_LAYERS | {"intermediate_size": [64] * 4}, num_kv_shared_layers=2, hidden_size_per_layer_input=8,
        vocab_size_per_layer_input=200, activation_sparsity_pattern=[0.0] * 4,
    ),
    "llama4, chunks": Llama4TextConfig(
        **SHAPE, head_dim=8, attention_chunk_size=16, layer_types=["chunked_attention", "full_attention"],
        no_rope_layers=[1, 0], num_local_experts=2, num_experts_per_tok=1, intermediate_size_mlp=64,
    ),
    "deepseek-v3, keys of another size than values": DeepseekV3Config(
        **SHAPE, q_lora_rank=8, kv_lora_rank=8, qk_rope_head_dim=4, qk_nope_head_dim=4, v_head_dim=8, n_routed_experts=4,
        num_experts_per_tok=2, n_group=1, topk_group=1, first_k_dense_replace=1, moe_intermediate_size=16,
    ),
    "qwen3 with experts": Qwen3MoeConfig(
        **SHAPE, head_dim=8, num_experts=4, num_experts_per_tok=2, moe_intermediate_size=32
    ),
    "mixtral": MixtralConfig(**SHAPE, num_local_experts=4, num_experts_per_tok=2),
    "smollm3, a layer without positions": SmolLM3Config(**SHAPE, no_rope_layers=[1, 0]),
    "olmo3, window": Olmo3Config(**SHAPE, sliding_window=16, layer_types=["sliding_attention", "full_attention"]),
    "glm4": Glm4Config(**SHAPE, head_dim=8),
    "granite": GraniteConfig(**SHAPE),
    "cohere2, window": Cohere2Config(**SHAPE, sliding_window=16, layer_types=["sliding_attention", "full_attention"]),
    "gpt-oss, sinks": GptOssConfig(
        **WINDOWED, num_local_experts=4, num_experts_per_tok=2, layer_types=["sliding_attention", "full_attention"]
    ),
    "gpt2, learned positions": GPT2Config(vocab_size=200, n_embd=32, n_layer=2, n_head=4, n_positions=256),
}  # fmt: skip


def random_model(name: str) -> PreTrainedModel:
    torch.manual_seed(0)
    wraps = holds_text_model(CONFIGS[name])
    auto = AutoModelForImageTextToText if wraps else AutoModelForCausalLM
    model: PreTrainedModel = auto.from_config(CONFIGS[name]).float().eval()
    if wraps:
        model = text_only(model)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(3)  # else everything is about equally likely, and a wrong mask changes little
        for name, parameter in model.named_parameters():
            if name.endswith("sinks"):
                parameter.copy_(torch.linspace(-1, 2, len(parameter)))
    return model


@pytest.mark.parametrize("name", CONFIGS)
def test_two_turns_have_the_likelihood_of_one_forward_pass(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)
    model = random_model(name)
    assert context_length(model) == 256
    sampler = Sampler(model, 4)
    rng = np.random.default_rng(0)

    def some(*lengths: int) -> list[list[int]]:
        return [rng.integers(3, 200, size=n).tolist() for n in lengths]

    # Dialogues of different lengths, most of them longer than the window.
    first, answer = some(5, 30, 12, 50), some(7, 3, 9, 4)
    places = [0, 1, 2, 3]
    said = [m[0].ids for m in sampler.sample(places, first, rng.random((4, 1, 20)), stops=[1], temperature=1.0)]
    heard = [a + b for a, b in zip(said, answer, strict=True)]
    found = sampler.sample(places, heard, rng.random((4, 1, 20)), stops=[1], temperature=1.0)
    for before, new, (sampled,) in zip(first, heard, found, strict=True):
        ids = torch.tensor([before + new + sampled.ids])
        with torch.no_grad():
            logp = torch.log_softmax(model(ids).logits[0].float(), -1)
        start = len(before) + len(new)
        expected = [float(logp[start + i - 1, token]) for i, token in enumerate(sampled.ids)]
        assert sampled.logprobs == pytest.approx(expected, abs=1e-4)


def test_attention_that_cannot_be_replaced_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As that of models with code of their own often is; transformers warns, and leaves it as it was."""
    model = random_model("llama")
    monkeypatch.setattr(type(model), "_can_set_attn_implementation", classmethod(lambda cls: False))
    with pytest.raises(ModelError, match="attention of its own"):
        Sampler(model, 4)


def test_attention_in_training_is_not_left_without_its_sinks() -> None:
    model = random_model("gpt-oss, sinks")
    model.set_attn_implementation(TRAINING_ATTENTION)
    with pytest.raises(ModelError, match="sinks"), torch.no_grad():
        model(torch.arange(3, 9)[None])


def test_layers_without_a_cache_of_keys_are_refused() -> None:
    config = Qwen3Config(**SHAPE)
    config.layer_types = ["linear_attention", "full_attention"]
    with pytest.raises(ModelError, match="linear_attention"):
        layer_kinds(config)


def test_a_language_model_taken_out_of_one_with_images_says_what_that_says() -> None:
    torch.manual_seed(0)
    wrapper = AutoModelForImageTextToText.from_config(CONFIGS["gemma3 with images, as on the hub"]).float().eval()
    ids = torch.randint(3, 200, (2, 40))
    with torch.no_grad():
        expected = wrapper(input_ids=ids).logits
        found = text_only(wrapper)
        assert torch.equal(found(input_ids=ids).logits, expected)
    assert found.config.model_type == "gemma3_text"
    assert found.get_output_embeddings().weight is found.get_input_embeddings().weight
    assert not [name for name, _ in found.named_parameters() if "vision" in name or "projector" in name]


def test_a_language_model_that_transformers_knows_inside_its_wrapper_alone_is_refused() -> None:
    with pytest.raises(ModelError, match="qwen2_5_vl_text"):
        holds_text_model(Qwen2_5_VLConfig())


def test_layers_that_attend_within_chunks_keep_their_own_attention_in_training(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("understudy.models.attention.fast_bf16", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for name, attention in (("llama", TRAINING_ATTENTION), ("llama4, chunks", "sdpa"), ("olmo3, window", "sdpa")):
        model = random_model(name)
        use_training_attention(model)
        assert model.config._attn_implementation == attention, name


def test_queries_that_are_scaled_by_their_place_are_refused_where_they_would_be() -> None:
    model = random_model("llama4, chunks")
    model.config.floor_scale = 512
    with pytest.raises(ModelError, match="beyond 512 tokens"):
        Sampler(model, 4)
    model.config.attn_temperature_tuning = False
    Sampler(model, 4)


def test_scores_are_the_same_taken_a_few_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(5, heads, 3, 8) for heads in (4, 2, 2))
    given = (q, k, v, torch.ones(5, 1, 3, 3, dtype=torch.bool).tril())
    for more in ({"softcap": 5.0}, {"s_aux": torch.tensor([0.0, 1.0, 2.0, 3.0])}):
        whole, _ = decoding_attention(torch.nn.Module(), *given, **more)
        with monkeypatch.context() as small:
            small.setattr("understudy.models.attention._MOST_SCORES", 2 * 4 * 3 * 3)
            parts, _ = decoding_attention(torch.nn.Module(), *given, **more)
        torch.testing.assert_close(parts, whole)
