"""How models are fitted and trained."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from understudy.config.base import LearningRate, OpenShare, Share, StageConfig, broken
from understudy.config.models import ModelConfig


class SFTConfig(StageConfig):
    """Supervised fine-tuning of a base agent (agent side) or of a user (roles reversed)."""

    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 1500
    """Most optimiser steps, 1 to 10000000; the learning rate falls to 0 with the last one."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 20
    """Most passes over the training dialogues, 1 to 1000."""
    learning_rate: LearningRate = 3e-3
    """Peak of AdamW's learning rate, above 0 and at most 1."""
    matrix_learning_rate: LearningRate | None = 1e-2
    """Peak of Muon's, for the matrices of users made from scratch, above 0 and at most 1; null: AdamW, as for all else."""
    batch_tokens: Annotated[int, Field(ge=32, le=10_000_000)] = 2048
    """Tokens per optimiser step, padding included, 32 to 10000000; at least the longest dialogue."""
    copying_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 1400
    """Steps on repeated random tokens before SFT, once for all cells, 0 (none) to 1000000."""
    comparison_weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of a user's loss on which words of the agent its goal has, 0 (none) to 100."""
    counting_weight: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Weight of a user's loss on how often it has spoken, 0 (none) to 100; where nothing else tells it when to leave."""
    other_side_weight: Share = 0.3
    """Weight of what this side did not write (prompt, other side) in the loss, 0 to 1: a new model must learn to read."""
    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises from 0, 0 to 1."""
    validation_share: Annotated[float, Field(gt=0, lt=0.9)] = 0.1
    """Share of the people whose dialogues choose the best epoch, between 0 and 0.9."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.3
    """Decoupled weight decay, 0 to 1; far above the usual 0.01, as the logs are few (arXiv 2509.14786)."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of embeddings and of each block's additions that a step leaves out, 0 (nothing) to below 1 (arXiv 1706.03762)."""
    patience: Annotated[int, Field(ge=1, le=1000)] = 3
    """Epochs without a lower validation loss before training stops, 1 to 1000; the best epoch is kept."""
    gradient_checkpointing: bool = False
    """Whether layers are computed again in the backward pass: less memory, a third more arithmetic (arXiv 1604.06174)."""
    fit_agent: bool = True
    """Whether the base agent is fitted on the agent's side of the logs; false takes a pretrained `model.base` as it is."""

    def of_user(self, model: ModelConfig) -> SFTConfig:
        """These settings as they hold for a user: a pretrained one is fitted by AdamW alone, as it was trained."""
        return self if model.base is None else self.of_agent()

    def of_agent(self) -> SFTConfig:
        """These settings as they hold for an agent, which AdamW fits: how far arms can get from it was set with that."""
        return self.model_copy(update={"matrix_learning_rate": None})


class ResidualConfig(StageConfig):
    """What a fine-tuned user still gets wrong, learned as a residual energy (arXiv 2004.11714) to resample its replies."""

    candidates: Annotated[int, Field(ge=1, le=64)] = 4
    """Replies that an aligned user writes for each one it says, 1 (SFT alone, nothing is learned) to 64."""
    contexts: Annotated[int, Field(ge=100, le=1_000_000)] = 6000
    """Logged contexts in which people's reply is told from the model's own, 100 to 1000000; fewer where fewer exist."""
    min_gain: Annotated[float, Field(ge=0, le=10)] = 0.02
    """Nats per reply that the energy must see on held-out persons to be used at all, 0 to 10: candidates cost time."""


class SupportConfig(StageConfig):
    """How unlike the logs an agent may talk before the aligned user, who has learned no answer to it, leaves."""

    quantile: OpenShare | None = 0.99
    """Share of agents' messages in logs within each limit: how typical, how often said before; in (0, 1). Null: no limit."""


class RealignmentConfig(StageConfig):
    """The calibrated arm gone on with, after the user was aligned again on dialogues of people with its agent, in rounds."""

    rounds: Annotated[int, Field(ge=0, le=100)] = 0
    """Rounds after the calibrated arm, 0 (none) to 100; beside each a control trains on with the same user as before."""
    dialogues: Annotated[int, Field(ge=10, le=1_000_000)] = 500
    """Dialogues of the agent with people per round, 10 to 1000000: what comes back from an agent that is in use."""
    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 50
    """Optimiser steps per round, 1 to 1000000."""


Tracker = Literal["tensorboard", "wandb", "trackio"]

Credit = Literal["equalised", "reward-to-go", "exponential"]


class RLConfig(StageConfig):
    """GRPO (arXiv 2402.03300) on the agent's tokens; the arms differ in contexts and users, and the oracle has no penalty."""

    steps: Annotated[int, Field(ge=1, le=1_000_000)] = 100
    """Optimiser steps of every arm that trains by RL, 1 to 1000000; take enough for the oracle to reach its plateau."""
    messages_per_step: Annotated[int, Field(ge=8, le=10_000_000)] = 320
    """Agent messages sampled per step in every arm, about: short dialogues get more groups. 8 to 10000000."""
    min_groups: Annotated[int, Field(ge=1, le=65_536)] = 8
    """Fewest tasks per step, 1 to `max_groups`."""
    max_groups: Annotated[int, Field(ge=1, le=65_536)] = 80
    """Most tasks per step, `min_groups` to 65536."""
    group_size: Annotated[int, Field(ge=2, le=4096)] = 8
    """Dialogues per task, 2 to 4096; the advantage compares them with each other."""
    credit: Credit = "equalised"
    """How an advantage is shared by the agent's messages (docs/method.md): `equalised`, `reward-to-go` or `exponential`."""
    discount: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Worth of a reward one message of the agent later, above 0 and at most 1."""
    forward_samples: Annotated[int, Field(ge=1, le=1024)] = 3
    """Continuations that each message of the multiturn-aware arm is scored by, 1 to 1024."""
    forward_turns: Annotated[int, Field(ge=0, le=1000)] = 8
    """Most further messages of the agent in them, 0 to 1000; where the reward comes at the end, take enough to get there."""
    token_penalty: Share = 0.0
    """Taken off their reward per token of the agent, as a share of the family's largest reward, 0 (none) to 1."""
    learning_rate: LearningRate = 6e-4
    """AdamW's learning rate, above 0 and at most 1; 1e-3 wrecked tiny models within 10 steps in our trials."""
    kl_weight: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Weight of the KL penalty towards the start of training, 0 (none) to 100, in every arm but the oracle."""
    clip: OpenShare = 0.2
    """Half-width of the ratio's clipping interval, between 0 and 1 (PPO, arXiv 1707.06347)."""
    max_grad_norm: Annotated[float, Field(gt=0, le=1e6)] = 1.0
    """Gradients are scaled down to this norm, above 0."""
    micro_batch_tokens: Annotated[int, Field(ge=32, le=10_000_000)] = 8192
    """Tokens per forward pass, padding included, 32 to 10000000; changes memory and speed, not the gradient."""
    checkpoint_every: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Steps between checkpoints that a resumed run goes on from, 1 to 1000000."""
    warmup_steps: Annotated[int, Field(ge=1, le=100_000)] = 5
    """Steps in which the learning rate rises to its value, 1 (at once) to 100000."""
    gradient_checkpointing: bool = False
    """Whether layers are computed again in the backward pass: less memory, a third more arithmetic (arXiv 1604.06174)."""
    engine: Literal["local", "trl", "verl"] = "local"
    """Who makes the steps: `local`, our own loop, `trl` (GRPOTrainer) or `verl` (Ray, many GPUs); see docs/engines.md."""

    processes: Annotated[int, Field(ge=1, le=64)] = 1
    """Processes that train one agent together, one per GPU (DDP), 1 to 64; more than 1 with the engine `trl` alone."""

    shard: bool = False
    """Whether the processes share out weights, gradients and AdamW's state (FSDP), not hold all each; without `lora_rank`."""

    vllm: bool = False
    """Whether vLLM samples the policy, on the GPUs that train it (colocated); with the engine `trl`."""

    vllm_memory: OpenShare = 0.3
    """Share of a GPU's memory that vLLM takes for weights and caches, between 0 and 1."""

    tracker: Tracker | None = None
    """Where learning curves go besides `metrics.jsonl`: `tensorboard`, `wandb`, `trackio` (docs/engines.md); null: nowhere."""

    @model_validator(mode="after")
    def _rules(self) -> RLConfig:
        if self.min_groups > self.max_groups:
            raise broken(
                "min_groups",
                f"min_groups is {self.min_groups}, more than max_groups ({self.max_groups})",
                "lower min_groups or raise max_groups",
            )
        if self.engine != "trl" and self.processes > 1:
            raise broken(
                "processes",
                f"processes is {self.processes}, which the engine {self.engine} does not start",
                "set engine to trl, or processes to 1 (verl has verl.gpus_per_node)",
            )
        if self.engine != "trl" and self.vllm:
            raise broken(
                "vllm",
                f"vllm is true, which the engine {self.engine} does not have here",
                "set engine to trl, or vllm to false (verl has verl.rollout)",
            )
        if self.shard and self.processes == 1:
            raise broken(
                "shard", "shard is true, but there is one process", "set processes to 2 or more, or shard to false"
            )
        if self.engine != "local" and (self.credit != "equalised" or self.discount < 1):
            key = "credit" if self.credit != "equalised" else "discount"
            raise broken(
                key,
                f"{key} is {getattr(self, key)}, but the engine {self.engine} has one advantage per dialogue here, "
                "not discounted",
                "leave credit at equalised and discount at 1, or leave engine at local",
            )
        return self


class VerlConfig(StageConfig):
    """The engine `verl`: where its processes run. What a step is made of stands under `rl` and `sampling`."""

    rollout: Literal["vllm", "sglang", "cpu"] = "vllm"
    """Server that samples the policy: `vllm` or `sglang` on GPUs; `cpu`, our own, for tiny models and trials."""
    nodes: Annotated[int, Field(ge=1, le=10_000)] = 1
    """Machines that train and sample the policy, 1 to 10000."""
    gpus_per_node: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs of each, 1 to 64; with the rollout `cpu`, processes."""
    tensor_parallel: Annotated[int, Field(ge=1, le=64)] = 1
    """GPUs that one copy of the policy is spread over while it samples, 1 to 64; divides `nodes` x `gpus_per_node`."""
    loop_workers: Annotated[int, Field(ge=1, le=4096)] = 8
    """Processes that hold the dialogues, 1 to 4096; they sample nothing themselves."""
    user_replicas: Annotated[int, Field(ge=1, le=4096)] = 1
    """Processes that play the user, 1 to 4096; each holds `sampling.width` dialogues at once."""
    user_gpus: Annotated[float, Field(ge=0, le=64)] = 0.0
    """GPUs of each of them, beside those of the policy, 0 (programmes, endpoints, tiny models) to 64; a share is one too."""
    overrides: tuple[str, ...] = ()
    """Any other setting of verl as `key=value` in Hydra's words; they win over what is derived here."""

    @model_validator(mode="after")
    def _rules(self) -> VerlConfig:
        if self.nodes * self.gpus_per_node % self.tensor_parallel:
            raise broken(
                "tensor_parallel",
                f"tensor_parallel is {self.tensor_parallel}, which does not divide "
                f"nodes x gpus_per_node ({self.nodes * self.gpus_per_node})",
                "change one of the three",
            )
        if self.rollout == "cpu" and self.nodes * self.gpus_per_node > 1:
            raise broken(
                "rollout",
                "rollout is cpu, which is one process, but nodes or gpus_per_node is more than 1",
                "leave nodes and gpus_per_node at 1, or take vllm or sglang",
            )
        return self
