"""The same training by TRL's GRPOTrainer: our turn logic writes the rollouts, TRL's loss and Trainer do the rest.

What differs from the local loop: the number of tasks per step is fixed, as TRL's batches are; a group's standard deviation is
the unbiased one; tokens of groups without variance, and those whose reward is not determined, count in the normaliser and in
a KL penalty; and a step in which no group has any variance is not skipped but taken with no gradient but the penalty's, so that
AdamW's momentum still moves.
"""

from __future__ import annotations

import copy
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from understudy.config import RLConfig
from understudy.errors import ModelError
from understudy.models.adapters import is_adapted, read_adapter, trainable
from understudy.models.chat_model import ChatModel, context_length
from understudy.models.precision import default_device, fast_bf16
from understudy.models.speaker import ModelSpeaker
from understudy.models.weights import copy_weights
from understudy.runs import MetricsLog
from understudy.train.figures import Budget, OnStep, step_figures
from understudy.train.loop import groups_per_step
from understudy.train.rollouts import Collected, Completion, Rollout, RolloutSource
from understudy.train.trl_vllm import ColocatedVLLM, need_vllm, sampling_settings

_REWARD = "dialogue_reward"


def train_with_trl(
    policy: ChatModel,
    speaker: ModelSpeaker,
    source: RolloutSource,
    config: RLConfig,
    *,
    scratch: Path,
    on_step: OnStep | None = None,
) -> Budget:
    """As `understudy.train.loop.train`.

    With `config.vllm`, vLLM samples the policy on the same devices (colocated); TRL brings its weights up to date before each
    step.

    In processes that torch.distributed joins (see `in_processes`) each collects its share of the tasks, and all take one step
    together (DDP). The first writes the metrics.

    Raises:
        ModelError: if TRL is not installed, or vLLM where it is asked for.
        UnderstudyError: if every dialogue of a step failed, over all processes.
    """
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")  # `rollout_func` is the seam that we build on, and know it
    try:
        from datasets import Dataset
        from trl import GRPOConfig, GRPOTrainer
    except ImportError as error:
        raise ModelError(
            "the engine trl needs TRL, which is not installed",
            fix="pip install -e '.[trl]', or leave rl.engine at local",
        ) from error
    if config.vllm:
        need_vllm()
    groups = groups_per_step(config, source.messages_per_rollout)
    groups = max(1, groups // config.processes) * config.processes
    rows = groups * config.group_size // config.processes
    at_once = _rows_at_once(rows, config.micro_batch_tokens, context_length(policy.model))
    arguments = GRPOConfig(
        output_dir=str(scratch / "trl"),
        max_steps=config.steps,
        per_device_train_batch_size=at_once,
        gradient_accumulation_steps=rows // at_once,
        num_generations=config.group_size,
        max_grad_norm=config.max_grad_norm,
        epsilon=config.clip,
        beta=config.kl_weight,
        loss_type="dapo",
        temperature=speaker.temperature,
        disable_dropout=True,
        gradient_checkpointing=config.gradient_checkpointing,
        bf16=fast_bf16(),
        use_vllm=config.vllm,
        vllm_gpu_memory_utilization=config.vllm_memory,
        vllm_max_model_length=context_length(policy.model),
        generation_kwargs=sampling_settings(speaker) if config.vllm else None,
        use_cpu=default_device().type == "cpu",
        logging_steps=1,
        save_steps=config.checkpoint_every,
        save_total_limit=2,
        ddp_find_unused_parameters=False,
        fsdp=config.shard or None,
        ignore_data_skip=True,  # rollouts depend on the step alone
        report_to="none",
        disable_tqdm=True,
    )
    arguments._n_gpu = min(1, arguments.n_gpu)  # a process has one; the Trainer would take all that it sees
    metrics = MetricsLog(scratch / "metrics.jsonl")
    with arguments.main_process_first():
        last = _last_whole_checkpoint(scratch / "trl")
        metrics.truncate_from(int(last.rpartition("-")[2]) if last else 0)
    # TRL wants an end of text, which chat formats of our own lack: in a copy, as the policy's tokenizer is saved with it.
    tokenizer = copy.deepcopy(policy.tokenizer)
    tokenizer.eos_token = tokenizer.eos_token or tokenizer.pad_token
    steps = _Steps(speaker, source, groups, config.group_size, tokenizer.pad_token_id, metrics, on_step)
    # Its batches are padded on the left, which our own attention for training does not know.
    attention = policy.model.config._attn_implementation
    policy.model.set_attn_implementation("sdpa")
    _show_head_without_bias(policy.model)
    # What is sharded stays so: then a copy is trained, and its weights are brought home.
    trained = copy.deepcopy(policy.model) if config.shard else policy.model

    class Trainer(GRPOTrainer):  # type: ignore[misc]
        def create_optimizer(self, model: torch.nn.Module | None = None) -> torch.optim.Optimizer:
            self.optimizer = torch.optim.AdamW(
                trainable(self.model).values(), lr=config.learning_rate, betas=(0.9, 0.95), weight_decay=0.0
            )
            return self.optimizer

        def create_scheduler(
            self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None
        ) -> torch.optim.lr_scheduler.LRScheduler:
            self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
                self.optimizer, lambda step: min(1.0, (step + 1) / config.warmup_steps)
            )
            return self.lr_scheduler

        def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
            """Of an adapter what it is loaded from anywhere here; transformers would add all embeddings where a row was new."""
            if not is_adapted(policy.model):
                super()._save(output_dir, state_dict)
            elif self.args.should_save:
                policy.save(Path(output_dir or self.args.output_dir))

        def _load_from_checkpoint(self, resume_from_checkpoint: str, model: torch.nn.Module | None = None) -> None:
            """The Trainer knows peft's own wrapper alone, not an adapter that a model of transformers holds itself."""
            if is_adapted(policy.model):
                read_adapter(policy.model, Path(resume_from_checkpoint))
            else:
                super()._load_from_checkpoint(resume_from_checkpoint, model)

        def _send_telemetry(self) -> None:
            """Nobody was asked whether to tell of this run."""

    vllm = ColocatedVLLM(policy, speaker) if config.vllm else None
    with _reference_of(policy.model), vllm.startable(arguments, scratch) if vllm else nullcontext():
        trainer = Trainer(
            model=trained,
            reward_funcs=_reward,
            args=arguments,
            train_dataset=Dataset.from_list([{"prompt": f"task {group} of a step"} for group in range(groups)]),
            processing_class=tokenizer,
            rollout_func=steps.rollouts,
            callbacks=[steps],
        )
    if vllm:
        vllm.start(trainer.vllm_generation)
    trainer.remove_callback(PrinterCallback)  # it would print over our own progress
    trainer.train(resume_from_checkpoint=last)
    if config.shard:
        copy_weights(trainer.model, policy.model)
    policy.model.set_attn_implementation(attention)
    policy.model.eval()
    return Budget.of(metrics)


@contextmanager
def _reference_of(model: PreTrainedModel) -> Iterator[None]:
    """A Trainer made within holds the policy to a copy of this model, where it has a KL penalty.

    TRL would load what the model was made from, by name: not its adapter, and nothing where it is in memory alone.
    """
    from trl.trainer import grpo_trainer

    loads = grpo_trainer.create_model_from_path
    # What is frozen anyway is held once.
    frozen = {id(p): p for p in model.parameters() if not p.requires_grad}
    grpo_trainer.create_model_from_path = lambda *_, **__: copy.deepcopy(model, frozen).requires_grad_(False)
    try:
        yield
    finally:
        grpo_trainer.create_model_from_path = loads


def _show_head_without_bias(model: PreTrainedModel) -> None:
    """TRL reads weight and bias of the output layer; where peft trains a row of it, the layer shows its weight alone."""
    head = model.get_output_embeddings()
    if not hasattr(head, "bias"):
        head.register_parameter("bias", None)  # peft adds none either


def _last_whole_checkpoint(folder: Path) -> str | None:
    """The last checkpoint with its state, which is written last; half-written ones are removed."""
    for checkpoint in folder.glob("checkpoint-*"):
        if not (checkpoint / "trainer_state.json").is_file():
            shutil.rmtree(checkpoint)
    return get_last_checkpoint(str(folder)) if folder.is_dir() else None


class _Steps(TrainerCallback):  # type: ignore[misc]  # transformers is not type-checked here
    """Collects the rollouts of each step, and writes its figures down when TRL has learned from them."""

    def __init__(
        self,
        speaker: ModelSpeaker,
        source: RolloutSource,
        groups: int,
        group_size: int,
        pad: int,
        metrics: MetricsLog,
        on_step: OnStep | None,
    ) -> None:
        self.speaker, self.source, self.groups, self.group_size = speaker, source, groups, group_size
        self.pad, self.metrics, self.on_step = pad, metrics, on_step
        self.began = self.sampled = 0.0
        self.collected = Collected([])

    def rollouts(self, prompts: list[str], trainer: Any) -> dict[str, list[Any]]:
        """One row per prompt; prompts come group by group. Dialogues that failed are rows of nothing without a reward."""
        self.began = time.monotonic()
        self.speaker.sampler.load_weights(trainer.accelerator.unwrap_model(trainer.model))
        first = trainer.accelerator.process_index * len(prompts) // self.group_size
        mine = range(first, first + len(prompts) // self.group_size)
        collected = self.source.collect(
            self.speaker, trainer.state.global_step, self.groups, self.group_size, slice(mine.start, mine.stop)
        )
        from accelerate.utils import gather_object

        everybodys = gather_object([collected])
        self.collected = Collected(
            [r for c in everybodys for r in c.rollouts], [failure for c in everybodys for failure in c.failures]
        )
        self.collected.refuse_none(trainer.state.global_step)
        self.sampled = time.monotonic()
        found: dict[str, list[Any]] = {
            key: [] for key in ("prompt_ids", "completion_ids", "logprobs", "env_mask", _REWARD)
        }
        by_group: dict[int, list[Rollout]] = {}
        for rollout in collected.rollouts:
            by_group.setdefault(rollout.group, []).append(rollout)
        for group in mine:
            rows = [_row(rollout) for rollout in by_group.get(group, [])]
            rows += [self._nothing()] * (self.group_size - len(rows))
            for row in rows:
                for key, value in row.items():
                    found[key].append(value)
        return found

    def _nothing(self) -> dict[str, Any]:
        return {
            "prompt_ids": [self.pad],
            "completion_ids": [self.pad],
            "logprobs": [0.0],
            "env_mask": [0],
            _REWARD: None,
        }

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **kwargs: object,
    ) -> None:
        """Called in each process once per step, and once more at the end with no loss."""
        if logs is None or "loss" not in logs or not state.is_world_process_zero:
            return
        step = state.global_step - 1
        figures = step_figures(self.collected) | {
            "loss": logs["loss"],
            "grad_norm": logs["grad_norm"],
            "step": step,
            "groups": self.groups,
            "messages": sum(r.sampled_messages for r in self.collected.rollouts),
            "dialogues": len(self.collected.rollouts),
            "seconds": time.monotonic() - self.began,
            "sampling_seconds": self.sampled - self.began,
        }
        self.metrics.append(figures)
        if self.on_step:
            self.on_step(step, figures)


def _row(rollout: Rollout) -> dict[str, Any]:
    completion = Completion.of(rollout.record)
    return {
        "prompt_ids": completion.prompt_ids,
        "completion_ids": completion.ids,
        "logprobs": completion.logprobs,
        "env_mask": [int(sampled) for sampled in completion.sampled],
        _REWARD: rollout.reward,
    }


def _reward(prompts: list[str], completions: list[str], **fields: Any) -> list[float | None]:
    rewards: list[float | None] = fields[_REWARD]
    return rewards


def _rows_at_once(rows: int, tokens: int, longest: int) -> int:
    """As many dialogues as fit the tokens whatever their length, and divide the step evenly; at least one."""
    most = max(1, min(rows, tokens // longest))
    return next(n for n in range(most, 0, -1) if rows % n == 0)
