"""Small random models of real architectures."""

from __future__ import annotations

import copy
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, LlamaConfig, PreTrainedModel
from transformers.models.bamba.configuration_bamba import BambaConfig
from transformers.models.cohere2.configuration_cohere2 import Cohere2Config
from transformers.models.deepseek_v3.configuration_deepseek_v3 import DeepseekV3Config
from transformers.models.falcon_h1.configuration_falcon_h1 import FalconH1Config
from transformers.models.falcon_mamba.configuration_falcon_mamba import FalconMambaConfig
from transformers.models.gemma.configuration_gemma import GemmaConfig
from transformers.models.gemma2.configuration_gemma2 import Gemma2Config
from transformers.models.gemma3.configuration_gemma3 import Gemma3Config, Gemma3TextConfig
from transformers.models.gemma3n.configuration_gemma3n import Gemma3nTextConfig
from transformers.models.gemma4.configuration_gemma4 import Gemma4TextConfig
from transformers.models.glm4.configuration_glm4 import Glm4Config
from transformers.models.gpt2.configuration_gpt2 import GPT2Config
from transformers.models.gpt_oss.configuration_gpt_oss import GptOssConfig
from transformers.models.granite.configuration_granite import GraniteConfig
from transformers.models.granitemoehybrid.configuration_granitemoehybrid import GraniteMoeHybridConfig
from transformers.models.jamba.configuration_jamba import JambaConfig
from transformers.models.kimi_linear.configuration_kimi_linear import KimiLinearConfig
from transformers.models.lfm2.configuration_lfm2 import Lfm2Config
from transformers.models.lfm2_moe.configuration_lfm2_moe import Lfm2MoeConfig
from transformers.models.llama4.configuration_llama4 import Llama4TextConfig
from transformers.models.llava.configuration_llava import LlavaConfig
from transformers.models.mamba.configuration_mamba import MambaConfig
from transformers.models.mamba2.configuration_mamba2 import Mamba2Config
from transformers.models.mistral.configuration_mistral import MistralConfig
from transformers.models.mixtral.configuration_mixtral import MixtralConfig
from transformers.models.nemotron_h.configuration_nemotron_h import NemotronHConfig
from transformers.models.olmo3.configuration_olmo3 import Olmo3Config
from transformers.models.olmo_hybrid.configuration_olmo_hybrid import OlmoHybridConfig
from transformers.models.phi3.configuration_phi3 import Phi3Config
from transformers.models.qwen2.configuration_qwen2 import Qwen2Config
from transformers.models.qwen3.configuration_qwen3 import Qwen3Config
from transformers.models.qwen3_5.configuration_qwen3_5 import Qwen3_5Config, Qwen3_5TextConfig
from transformers.models.qwen3_5_moe.configuration_qwen3_5_moe import Qwen3_5MoeTextConfig
from transformers.models.qwen3_moe.configuration_qwen3_moe import Qwen3MoeConfig
from transformers.models.qwen3_next.configuration_qwen3_next import Qwen3NextConfig
from transformers.models.smollm3.configuration_smollm3 import SmolLM3Config
from transformers.models.zamba.configuration_zamba import ZambaConfig
from transformers.models.zamba2.configuration_zamba2 import Zamba2Config

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
TOKENS: dict[str, Any] = {"vocab_size": 200, "hidden_size": 32, "pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
HALF_RECURRENT: dict[str, Any] = {**SHAPE, "num_hidden_layers": 4}
DELTA: dict[str, Any] = {
    **HALF_RECURRENT, "linear_num_key_heads": 2, "linear_num_value_heads": 4, "linear_key_head_dim": 8,
    "linear_value_head_dim": 8, "linear_conv_kernel_dim": 4, "layer_types": ["linear_attention", "full_attention"] * 2,
}  # fmt: skip
SOME_EXPERTS: dict[str, Any] = {
    "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16, "shared_expert_intermediate_size": 16,
}  # fmt: skip
MAMBA: dict[str, Any] = {**HALF_RECURRENT, "mamba_d_state": 8, "mamba_d_conv": 4, "mamba_expand": 2}
MAMBA2: dict[str, Any] = {
    **MAMBA, "mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_chunk_size": 16
}  # fmt: skip
HYBRID: dict[str, Any] = {"layers_block_type": ["linear_attention", "hybrid"] * 2}
RECURRENT = {
    "qwen3.5": Qwen3_5TextConfig(**DELTA, head_dim=8),
    "qwen3.5 with images, as on the hub": Qwen3_5Config(
        text_config={**DELTA, "head_dim": 8},
        vision_config={"depth": 1, "hidden_size": 16, "intermediate_size": 32, "num_heads": 2, "out_hidden_size": 32},
    ),
    "qwen3.5 with experts": Qwen3_5MoeTextConfig(**DELTA, **SOME_EXPERTS, head_dim=8),
    "qwen3-next": Qwen3NextConfig(**DELTA, **SOME_EXPERTS, head_dim=8),
    "olmo hybrid": OlmoHybridConfig(**DELTA),
    "kimi linear": KimiLinearConfig(
        **HALF_RECURRENT, layer_types=["linear_attention", "full_attention"] * 2, kv_lora_rank=8, qk_rope_head_dim=4,
        linear_attn_config={"num_heads": 4, "head_dim": 8, "short_conv_kernel_size": 4}, q_lora_rank=None, v_head_dim=8,
        qk_nope_head_dim=4, moe_intermediate_size=16, num_experts=4, num_experts_per_token=2,
    ),
    "lfm2, short convolutions": Lfm2Config(
        **HALF_RECURRENT, layer_types=["conv", "full_attention"] * 2, conv_L_cache=3, block_multiple_of=8
    ),
    "lfm2 with experts": Lfm2MoeConfig(
        **HALF_RECURRENT, layer_types=["conv", "full_attention"] * 2, conv_L_cache=3, num_experts=4, num_experts_per_tok=2,
        moe_intermediate_size=16, num_dense_layers=1,
    ),
    "mamba": MambaConfig(**TOKENS, num_hidden_layers=2, state_size=8),
    "falcon mamba": FalconMambaConfig(**TOKENS, num_hidden_layers=2, state_size=8),
    "mamba2": Mamba2Config(
        **TOKENS, num_hidden_layers=2, state_size=8, num_heads=8, head_dim=8, n_groups=2, chunk_size=16
    ),
    "jamba": JambaConfig(
        **MAMBA, attn_layer_offset=1, attn_layer_period=2, mamba_dt_rank=4, num_experts=2, num_experts_per_tok=1,
        use_mamba_kernels=False,
    ),
    "bamba": BambaConfig(**MAMBA2, attn_layer_indices=[1, 3]),
    "falcon-h1": FalconH1Config(**MAMBA2, mamba_d_ssm=64, head_dim=8),
    "granite 4": GraniteMoeHybridConfig(
        **MAMBA2, layer_types=["linear_attention", "full_attention"] * 2, num_local_experts=2, num_experts_per_tok=1,
        shared_intermediate_size=32, position_embedding_type="rope",
    ),
    "nemotron-h": NemotronHConfig(
        **HALF_RECURRENT, layers_block_type=["linear_attention", "full_attention", "mlp", "linear_attention"],
        mamba_num_heads=8, mamba_head_dim=8, n_groups=2, ssm_state_size=8, conv_kernel=4, expand=2, chunk_size=16,
        head_dim=8,
    ),
    "zamba": ZambaConfig(**MAMBA, **HYBRID, mamba_dt_rank=4, n_mamba_heads=2, use_mamba_kernels=False),
    "zamba2": Zamba2Config(
        **MAMBA, **HYBRID, mamba_ngroups=1, n_mamba_heads=8, mamba_headdim=8, chunk_size=16, adapter_rank=4,
        num_mem_blocks=1, attention_head_dim=16,
    ),
}  # fmt: skip
CONFIGS = RECURRENT | {
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
    config = copy.deepcopy(CONFIGS[name])  # a model changes the config that it is made from
    wraps = holds_text_model(config)
    auto = AutoModelForImageTextToText if wraps else AutoModelForCausalLM
    model: PreTrainedModel = auto.from_config(config).float().eval()
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
