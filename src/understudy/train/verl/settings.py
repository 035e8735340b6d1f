"""What verl is given: the policy, a data set, an agent loop, and settings over its own defaults."""

from __future__ import annotations

import copy
import json
import os
import sys
from pathlib import Path
from typing import Any

import yaml

from understudy.config import VerlConfig
from understudy.models.adapters import is_adapted, save_apart
from understudy.models.chat_model import ChatModel, context_length
from understudy.train.verl.spec import LoopSpec

_AGENT = "understudy"
"""The name that verl knows our agent loop by."""
GROUP_ADVANTAGE = "understudy"
"""The name that verl knows `group_advantage` by."""
_ADAPTER = "adapter"
"""The folder of the policy's adapter."""
_MODULE = "understudy.train.verl.advantage"
"""What verl is to import in each of its processes."""
_OBJECT_STORE_BYTES = 200_000_000
"""Of Ray, where tiny models train on this machine alone; its default is a third of the memory."""


def prepare(policy: ChatModel, spec: LoopSpec, folder: Path, log: Path) -> list[str]:
    """Write what verl reads into the folder, and give the command that starts it: a person can run it as well.

    `base/` (the policy, or what its adapter stands beside), `adapter/` (if it has one), `loop.json` (the spec),
    `agent_loops.yaml`, `tasks.jsonl` (the data set) and `understudy.yaml` (the settings, over verl's own defaults).

    Args:
        log: where verl's figures of each step go.
    """
    # verl wants an end of text, which chat formats of our own lack: in a copy, as the policy's tokenizer is saved with it.
    tokenizer = copy.deepcopy(policy.tokenizer)
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.pad_token
    if is_adapted(policy.model):
        save_apart(policy.model, spec.agent, folder / _ADAPTER)
        tokenizer.save_pretrained(spec.agent)
    else:
        ChatModel(policy.model, tokenizer).save(spec.agent)
    (folder / "loop.json").write_text(spec.model_dump_json())
    loops = [
        {
            "name": _AGENT,
            "_target_": "understudy.train.verl.agent_loop.DialogueLoop",
            "spec": str(folder / "loop.json"),
        }
    ]
    (folder / "agent_loops.yaml").write_text(yaml.safe_dump(loops))
    rows = tasks_of(spec)
    (folder / "tasks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = settings(spec, folder, log, context_length(policy.model))
    (folder / "understudy.yaml").write_text(yaml.safe_dump(found, sort_keys=False))
    return [
        *(sys.executable, "-m", "verl.trainer.main_ppo"),
        *("--config-dir", str(folder), "--config-name", "understudy"),
        *spec.config.verl.overrides,
    ]


def tasks_of(spec: LoopSpec) -> list[dict[str, Any]]:
    """The data set: a row for each task of each step, in order, which says where it stands and nothing else.

    The agent loop draws the task itself, as a goal in a data set would be one more place that the policy must not see.
    """
    return [
        {
            "prompt": [{"role": "user", "content": f"task {group} of step {step}"}],
            "data_source": spec.family,
            "extra_info": {"index": step * spec.groups + group, "step": step, "group": group},
        }
        for step in range(spec.config.rl.steps)
        for group in range(spec.groups)
    ]


def settings(spec: LoopSpec, folder: Path, log: Path, max_length: int) -> dict[str, Any]:
    """What differs from verl's own defaults: one GRPO step per batch of rollouts, as in the local loop.

    Args:
        folder: see `prepare`.
        log: where verl's figures of each step go.
        max_length: longest dialogue in tokens.
    """
    rl, sampling, verl = spec.config.rl, spec.config.sampling, spec.config.verl
    actor = {
        "ppo_mini_batch_size": spec.groups,
        "ppo_epochs": 1,
        "use_dynamic_bsz": True,
        "ppo_max_token_len_per_gpu": rl.micro_batch_tokens,
        "loss_agg_mode": "token-mean",
        "clip_ratio": rl.clip,
        "clip_ratio_low": rl.clip,
        "clip_ratio_high": rl.clip,
        "entropy_coeff": 0,
        "use_kl_loss": rl.kl_weight > 0,
        "kl_loss_coef": rl.kl_weight,
        "kl_loss_type": "low_var_kl",  # k3, as in `grpo_loss`, but clipped at 10 a token
        "grad_clip": rl.max_grad_norm,
        "optim": {
            "lr": rl.learning_rate,
            "lr_warmup_steps": rl.warmup_steps,
            "betas": [0.9, 0.95],
            "weight_decay": 0.0,
            # A cosine that stays at its height after the warm-up: verl's `constant` takes the first step at a rate of 0.
            "lr_scheduler_type": "cosine",
            "min_lr_ratio": 1.0,
            "zero_indexed_step": False,
            "clip_grad": rl.max_grad_norm,
        },
        "checkpoint": {
            "save_contents": ["model", "optimizer", "extra", "hf_model"],
            "load_contents": ["model", "optimizer", "extra"],
        },
    }
    rollout = {
        "name": verl.rollout,
        "n": rl.group_size,
        "temperature": sampling.temperature,
        "top_k": -1,
        "top_p": 1.0,
        "prompt_length": max_length,
        "response_length": max_length,
        "max_model_len": max_length,
        "tensor_model_parallel_size": verl.tensor_parallel,
        "calculate_log_probs": True,
        "agent": {
            "num_workers": verl.loop_workers,
            "default_agent_loop": _AGENT,
            "agent_loop_config_path": str(folder / "agent_loops.yaml"),
        },
    }
    adapter: dict[str, Any] = {}
    if rank := spec.config.model.lora_rank:
        # Servers are given the sum, as one without adapters samples it.
        adapter = {"lora_rank": rank, "lora_adapter_path": str(folder / _ADAPTER), "lora": {"merge": True}}
    environment = {"VERL_FILE_LOGGER_PATH": str(log)} | environment_of(verl)
    found: dict[str, Any] = {
        "defaults": ["ppo_trainer", "_self_"],
        "data": {
            "train_files": str(folder / "tasks.jsonl"),
            "val_files": str(folder / "tasks.jsonl"),  # asked for, and never read: nothing is validated here
            "train_batch_size": spec.groups,
            "max_prompt_length": max_length,
            "max_response_length": max_length,
            "shuffle": False,
            "dataloader_num_workers": 0,
        },
        "actor_rollout_ref": {
            "model": {
                "path": str(spec.agent),
                "enable_gradient_checkpointing": rl.gradient_checkpointing,
                # Attention that needs no package beside torch; see verl.overrides for faster ones.
                "use_remove_padding": False,
                "override_config": {"attn_implementation": "sdpa"},
                **adapter,
            },
            "actor": actor,
            "rollout": rollout,
        },
        "algorithm": {"adv_estimator": GROUP_ADVANTAGE, "use_kl_in_reward": False},
        "reward": {"num_workers": 0},  # the dialogues bring their reward
        "trainer": {
            "nnodes": verl.nodes,
            "n_gpus_per_node": verl.gpus_per_node,
            "total_epochs": 1,
            "total_training_steps": rl.steps,
            "save_freq": rl.checkpoint_every,
            "max_actor_ckpt_to_keep": 2,
            "val_before_train": False,
            "test_freq": -1,
            "logger": ["console", "file"],
            "project_name": "understudy",
            "experiment_name": spec.family.replace(":", "."),
            "default_local_dir": str(folder),
            "resume_mode": "auto",
        },
        "ray_kwargs": {"ray_init": {"runtime_env": {"env_vars": environment}}},
        "hydra": {"run": {"dir": str(folder)}, "output_subdir": None},
    }
    if verl.rollout == "cpu":
        actor["strategy"] = "fsdp2"
        actor["use_torch_compile"] = False
        rollout["free_cache_engine"] = False
        rollout["max_num_seqs"] = sampling.width
        found["trainer"]["device"] = "cpu"
        # Ray places processes by what they are said to take: more than a laptop has, of which little is used at once.
        ray_init = {
            "num_cpus": 16,
            "num_gpus": 1,
            "object_store_memory": _OBJECT_STORE_BYTES,
            "include_dashboard": False,
        }
        found["ray_kwargs"]["ray_init"] |= ray_init
        found["transfer_queue"] = {"backend": {"SimpleStorage": {"num_data_storage_units": 1}}}
    return found


def environment_of(verl: VerlConfig) -> dict[str, str]:
    """What all processes of verl need in their environment."""
    quiet = {"RAY_USAGE_STATS_ENABLED": "0"}  # nobody was asked whether to tell of this run
    if verl.rollout != "cpu":
        given = os.environ.get("VERL_USE_EXTERNAL_MODULES")  # of a platform, say
        return quiet | {"VERL_USE_EXTERNAL_MODULES": f"{given},{_MODULE}" if given else _MODULE}
    return quiet | {
        "RAY_ADDRESS": "local",  # a cluster would not take what is said of this machine below
        "VERL_USE_EXTERNAL_MODULES": f"understudy.train.verl.cpu,{_MODULE}",  # the platform first, which others ask for
        "VERL_PLATFORM": "cpu",
        "VERL_ENGINE_DEVICE": "cuda",  # the FSDP engine is registered for GPUs alone, and works without
    }
