"""The root of a config, and the sections of logs, sampling and judging.

Every default of the package is stated once: here, or in `models`, `endpoint` or `training` beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from understudy.config.base import LogSize, OpenShare, Seed, Share, StageConfig, Temperature, broken, on_hub
from understudy.config.endpoint import ENDPOINT_LIMITS, InteractivityConfig, PromptedConfig
from understudy.config.models import ModelConfig, UnseenUserModelConfig, UserModelConfig
from understudy.config.training import (
    RealignmentConfig,
    ResidualConfig,
    RLConfig,
    SFTConfig,
    SupportConfig,
    VerlConfig,
)

Arm = Literal["base", "control", "static", "multiturn-aware", "interactive", "calibrated", "oracle"]
ARMS: tuple[Arm, ...] = get_args(Arm)
"""All there are, in the order of tables."""
DEFAULT_ARMS: tuple[Arm, ...] = tuple(arm for arm in ARMS if arm != "multiturn-aware")


class LogsConfig(StageConfig):
    """The logs of dialogues with real people, and who of them is used for what."""

    path: Path | None = None
    """File of people's dialogues on the tasks of the families, or folder of `logs split`; null: programmes write them."""
    dialogues: Annotated[int, Field(ge=100, le=100_000)] = 5000
    """Dialogues written where the users are known, 100 to 100000; logs of one's own are taken whole."""
    people: Annotated[int, Field(ge=10, le=100_000)] = 1000
    """Different people in these dialogues, 10 to `dialogues`; the parts share no person."""
    align_share: OpenShare = 0.6
    """Share of the people whose dialogues align the user, between 0 and 1; the three shares sum to 1."""
    agent_share: OpenShare = 0.3
    """Share of the people whose dialogues train the base agent, between 0 and 1; the three shares sum to 1."""
    heldout_share: OpenShare = 0.1
    """Share of the people kept for measurements, between 0 and 1; the three shares sum to 1."""

    @property
    def shares(self) -> dict[str, float]:
        """Of the people, by the name of the part."""
        return {"align": self.align_share, "agent": self.agent_share, "heldout": self.heldout_share}

    @model_validator(mode="after")
    def _rules(self) -> LogsConfig:
        total = self.align_share + self.agent_share + self.heldout_share
        if abs(total - 1) > 1e-6:
            raise broken(
                "align_share",
                f"align_share + agent_share + heldout_share = {total:g}, but must be 1",
                "change one of the three so that they sum to 1",
            )
        if self.people > self.dialogues:
            raise broken(
                "people",
                f"people is {self.people}, more than dialogues ({self.dialogues})",
                "everybody holds at least one dialogue: lower people or raise dialogues",
            )
        return self


class RefereeConfig(StageConfig):
    """The ensemble of user models that stands for people where nobody can be asked."""

    candidates: Annotated[int, Field(ge=1, le=64)] = 3
    """User models fitted on dialogues that nobody else sees, each from another seed, 1 to 64."""
    members: Annotated[int, Field(ge=1, le=64)] = 2
    """How many of them judge, those with the highest held-out likelihood, 1 to `candidates`."""

    @model_validator(mode="after")
    def _rules(self) -> RefereeConfig:
        if self.members > self.candidates:
            raise broken(
                "members",
                f"members is {self.members}, more than candidates ({self.candidates})",
                "lower members or raise candidates",
            )
        return self


class SamplingConfig(StageConfig):
    """How models speak while dialogues are collected."""

    temperature: Temperature = 1.0
    """Decoding temperature in training and of simulated users, above 0 and at most 10."""
    max_message_tokens: Annotated[int, Field(ge=1, le=8192)] = 40
    """Longest message in tokens, its end included, 1 to 8192."""
    width: Annotated[int, Field(ge=1, le=65_536)] = 512
    """Dialogues held at once, 1 to 65536; more is faster and takes more memory."""


class JudgeConfig(StageConfig):
    """How agents are judged."""

    dialogues: Annotated[int, Field(ge=10, le=1_000_000)] = 1000
    """Dialogues of each agent with each user on held-out goals, 10 to 1000000."""
    tuning_dialogues: Annotated[int, Field(ge=10, le=1_000_000)] = 300
    """Dialogues per temperature when decoding is tuned, with the arm's own training user, 10 to 1000000."""
    temperatures: Annotated[tuple[Temperature, ...], Field(min_length=1)] = (1.0, 0.5)
    """Decoding temperatures to choose from, each above 0 and at most 10; greedy (0) is always among the choices."""
    shift_dialogues: Annotated[int, Field(ge=10, le=1_000_000)] = 1000
    """Dialogues per side of each two-sample measurement, 10 to 1000000."""
    shift_min_alive: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    """Shift is measured up to the last turn that this many dialogues of each side reach, 10 to 1000000."""


class CompareConfig(StageConfig):
    """All arms on some task families and seeds: the root of a config file."""

    families: Annotated[tuple[str, ...], Field(min_length=1)] = ("elicit", "edit", "haggle")
    """Task families by name, at least one, each once."""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1)] = (0, 1, 2, 3, 4)
    """Seeds of the repetitions, whole numbers from 0, each once; a seed covers data, SFT, RL and judging; not copying."""
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)] = DEFAULT_ARMS
    """Arms to train and judge, each once: base, control, static, interactive, calibrated, oracle; multiturn-aware if named."""
    severities: tuple[Share, ...] = ()
    """Severities of the graded sweep, each 0 to 1; empty for no sweep."""
    log_sizes: tuple[LogSize, ...] = ()
    """Numbers of dialogues of the how-many-logs sweep, each 10 to 100000; empty for no sweep."""
    data: Path | None = None
    """Folder of people's dialogues or of tasks, for the families that need one; of tasks also `hub:owner/name`."""
    logs: LogsConfig = LogsConfig()
    """The logs and their splits."""
    model: ModelConfig = ModelConfig()
    """Shape of the agent."""
    user_model: UserModelConfig = UserModelConfig()
    """Shape of the aligned user."""
    unseen_user_model: UnseenUserModelConfig = UnseenUserModelConfig()
    """Shape of the user that no agent was trained with."""
    referee_model: UserModelConfig = UserModelConfig(hidden=160, layers=4, heads=5, kv_heads=5, intermediate=432)
    """Shape of the user models that judge where the real users are out of reach."""
    referee: RefereeConfig = RefereeConfig()
    """How many of them are fitted and kept."""
    sft: SFTConfig = SFTConfig()
    """Supervised fine-tuning."""
    residual: ResidualConfig = ResidualConfig()
    """Alignment of the user beyond SFT."""
    support: SupportConfig = SupportConfig()
    """What the aligned user has learned to answer."""
    rl: RLConfig = RLConfig()
    """Reinforcement learning."""
    realignment: RealignmentConfig = RealignmentConfig()
    """Rounds of re-alignment after the calibrated arm."""
    verl: VerlConfig = VerlConfig()
    """The engine `verl`, where `rl.engine` takes it."""
    judge: JudgeConfig = JudgeConfig()
    """Judging."""
    sampling: SamplingConfig = SamplingConfig()
    """Sampling."""
    prompted: PromptedConfig = PromptedConfig()
    """The prompted user of the interactive arm: a programme that stands in for one, or a real LLM."""
    interactivity: InteractivityConfig = InteractivityConfig()
    """The judge of interactivity: nobody, or an LLM."""

    def inputs(self) -> list[Path]:
        """Files and folders that a run depends on; what a name on the hub holds is not known."""
        data = [] if self.data is None or on_hub(self.data) else [self.data]
        return data if self.logs.path is None else [*data, self.logs.path]

    @field_validator("families", "seeds", "arms", "severities", "log_sizes")
    @classmethod
    def _each_once(cls, value: tuple[Any, ...]) -> tuple[Any, ...]:
        twice = _repeated(value)
        if twice:
            raise PydanticCustomError("repeated", "must hold each value once", {"repeated": twice})
        return value

    @model_validator(mode="after")
    def _rules(self) -> CompareConfig:
        longest = max(self.model.max_length, self.user_model.max_length)
        longest = max(longest, self.unseen_user_model.max_length, self.referee_model.max_length)
        for key, tokens in (
            ("sft.batch_tokens", self.sft.batch_tokens),
            ("rl.micro_batch_tokens", self.rl.micro_batch_tokens),
        ):
            if tokens < longest:
                raise broken(
                    key,
                    f"{key} is {tokens}, less than the longest dialogue ({longest}, the largest max_length)",
                    f"raise {key} to at least {longest}, or lower max_length of the models",
                )
        shortest = min(self.model.max_length, self.user_model.max_length)
        shortest = min(shortest, self.unseen_user_model.max_length, self.referee_model.max_length)
        if self.sampling.max_message_tokens >= shortest:
            raise broken(
                "sampling.max_message_tokens",
                f"sampling.max_message_tokens is {self.sampling.max_message_tokens}, "
                f"which leaves no room in a dialogue of {shortest} tokens (the smallest max_length)",
                "lower it, or raise max_length of the models",
            )
        if self.prompted.model is not None and self.severities:
            raise broken(
                "severities",
                "severities grade the failings of the programme that stands in for a prompted LLM, but prompted.model is given",
                "leave one of the two out",
            )
        if self.support.quantile is not None and not self.sft.other_side_weight:
            raise broken(
                "support.quantile",
                f"support.quantile is {self.support.quantile:g}, but sft.other_side_weight is 0: "
                "a user that is not fitted on what agents say cannot tell what they usually say",
                "raise sft.other_side_weight (0.3 in the preset full), or set support.quantile to null",
            )
        if self.realignment.rounds and "calibrated" not in self.arms:
            raise broken(
                "realignment.rounds",
                f"realignment.rounds is {self.realignment.rounds}, but arms lacks calibrated, which it goes on with",
                "add calibrated to arms, or set it to 0",
            )
        if self.rl.engine == "verl" and "multiturn-aware" in self.arms:
            raise broken(
                "arms",
                "arms holds multiturn-aware, whose forward samples the engine verl does not take here",
                "leave multiturn-aware out of arms, or leave rl.engine at local",
            )
        if self.model.lora_rank is not None:
            self._refuse_with_adapter()
        if self.rl.engine != "local" and self.model.remote_code:
            raise broken(
                "rl.engine",
                f"rl.engine is {self.rl.engine}, which is not told that code of model.base may be run (model.remote_code)",
                "leave rl.engine at local, or take a model that transformers has code for",
            )
        if self.rl.engine != "local" and self.model.device_map is not None:
            raise broken(
                "model.device_map",
                f"model.device_map is given, but the engine {self.rl.engine} spreads the policy in its own way",
                "leave out model.device_map (trl has rl.shard, verl its FSDP), or rl.engine at local",
            )
        if self.rl.processes > 1 and self.user_model.device_map is not None:
            raise broken(
                "user_model.device_map",
                f"user_model.device_map is given, but each of {self.rl.processes} rl.processes holds the user on its own GPU",
                "leave out user_model.device_map, or rl.processes at 1",
            )
        if not self.sft.fit_agent and self.model.base is None:
            raise broken(
                "sft.fit_agent",
                "sft.fit_agent is false, but model.base is not given: an agent from scratch would know nothing",
                "name a pretrained model with model.base, or leave sft.fit_agent at true",
            )
        if not self.sft.fit_agent and "control" in self.arms:
            raise broken(
                "arms",
                "arms holds control, which is the base with more SFT, but sft.fit_agent is false",
                "leave control out of arms",
            )
        models = (self.model, self.user_model, self.unseen_user_model, self.referee_model)
        for key, rate, most, concerned in (
            ("sft.learning_rate", self.sft.learning_rate, 5e-4, models),
            ("rl.learning_rate", self.rl.learning_rate, 1e-4, (self.model,)),
        ):
            if rate > most and any(model.base is not None for model in concerned):
                raise broken(
                    key,
                    f"{key} is {rate:g}, made for models from scratch: it would wreck a pretrained one",
                    f"set it to {most:g} or less, or start from the preset `pretrained`",
                )
        return self

    def _refuse_with_adapter(self) -> None:
        """What cannot train the adapter of `model.lora_rank`."""
        adapter = f"the adapter of model.lora_rank ({self.model.lora_rank})"
        if self.rl.engine == "verl" and self.rl.kl_weight:
            raise broken(
                "rl.kl_weight",
                f"rl.kl_weight is {self.rl.kl_weight:g}, but verl would hold the policy to its model without {adapter}, which "
                "is not the agent that training starts from",
                "set rl.kl_weight to 0, or rl.engine to local or trl",
            )
        if self.rl.shard:
            raise broken(
                "rl.shard",
                f"rl.shard is true, which does not go with {adapter}: little of it is worth sharing out, "
                "and each process holds the frozen weights whole to sample",
                "set rl.shard to false, and model.weights to bf16, so that a process holds them once",
            )


FREE_KEYS = (*ENDPOINT_LIMITS, "rl.tracker")
"""Keys that a run may be gone on with under other values: nothing that comes of it depends on them."""

_LATER: Mapping[str, tuple[StageConfig, Iterable[str]]] = {
    "logs": (LogsConfig(), ("path",)),
    "model": (ModelConfig(), ("remote_code", "device_map")),
    "user_model": (UserModelConfig(), ("remote_code", "device_map")),
    "unseen_user_model": (UnseenUserModelConfig(), ("remote_code", "device_map")),
    "referee_model": (UserModelConfig(), ("remote_code", "device_map")),
    "sft": (SFTConfig(), ("dropout",)),
    "rl": (
        RLConfig(),
        ("forward_samples", "forward_turns", "token_penalty", "processes", "shard", "vllm", "vllm_memory", "tracker"),
    ),
    "realignment": (RealignmentConfig(), RealignmentConfig.model_fields),
    "verl": (VerlConfig(), VerlConfig.model_fields),
    "prompted": (PromptedConfig(), ("parameters",)),
    "interactivity": (InteractivityConfig(), InteractivityConfig.model_fields),
}
LATER_KEYS: Mapping[str, Any] = {
    f"{section}.{key}": defaults.model_dump(mode="json")[key]  # as a manifest holds it
    for section, (defaults, keys) in _LATER.items()
    for key in keys
} | {"sft.matrix_learning_rate": None, "sft.counting_weight": None, "support.quantile": None}
"""Keys that runs of an earlier version lack, with the values at which they change nothing, so that such a run may be gone on
with. `sft.counting_weight` has none: what users were taught before cannot be had again."""


def _repeated(values: Sequence[Any]) -> list[Any]:
    return [value for position, value in enumerate(values) if value in values[:position]]
