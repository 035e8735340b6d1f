"""One frozen model per stage. Every default of the package is stated here, once.

The docstring under a field is what an error message quotes: it gives the meaning, the unit and the range.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

Arm = Literal["base", "control", "static", "interactive", "calibrated", "oracle"]
ARMS: tuple[Arm, ...] = get_args(Arm)

Share = Annotated[float, Field(ge=0, le=1)]
OpenShare = Annotated[float, Field(gt=0, lt=1)]
Temperature = Annotated[float, Field(gt=0, le=10)]
LearningRate = Annotated[float, Field(gt=0, le=1)]
LogSize = Annotated[int, Field(ge=10, le=100_000)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class StageConfig(BaseModel):
    """What all sections share: no unknown keys, no changes once made, no NaN, no `true` where a number belongs."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _plain_values(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, bool) or (isinstance(value, list | tuple) and any(isinstance(v, bool) for v in value)):
            raise PydanticCustomError("bool", "must be a number or text, not true or false")
        field = cls.model_fields[info.field_name or ""]
        if get_origin(field.annotation) is tuple and value is not None and not isinstance(value, list | tuple | dict):
            # One value, or `a,b` as it is typed on a command line.
            return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else [value]
        return value


class LogsConfig(StageConfig):
    """The logs of dialogues with real people, and who of them is used for what."""

    dialogues: Annotated[int, Field(ge=100, le=100_000)] = 5000
    """Dialogues written where the users are known, 100 to 100000; logs of one's own are taken whole."""
    people: Annotated[int, Field(ge=10, le=100_000)] = 1000
    """Different people in these dialogues, 10 to `dialogues`; the splits share no person."""
    align_share: OpenShare = 0.6
    """Share of the people whose dialogues align the user, between 0 and 1; the three shares sum to 1."""
    agent_share: OpenShare = 0.3
    """Share of the people whose dialogues train the base agent, between 0 and 1; the three shares sum to 1."""
    heldout_share: OpenShare = 0.1
    """Share of the people kept for measurements, between 0 and 1; the three shares sum to 1."""

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


class ModelConfig(StageConfig):
    """A causal language model: a pretrained one, or the shape of a tiny one made from scratch (Llama architecture)."""

    base: str | None = None
    """Pretrained model to fine-tune: a folder, or a name on the Hugging Face hub; null makes one of the shape below."""
    revision: str | None = None
    """Commit, tag or branch of `base` where it is a name: pin it, as names move. null takes the latest."""
    chat_template: str | None = None
    """In place of the template of `base`: `chatml`, `mistral`, or a Jinja file; null keeps its own."""
    hidden: Annotated[int, Field(ge=8, le=8192)] = 128
    """Width of the residual stream, 8 to 8192; a multiple of `heads`."""
    layers: Annotated[int, Field(ge=1, le=128)] = 3
    """Transformer blocks, 1 to 128."""
    heads: Annotated[int, Field(ge=1, le=128)] = 4
    """Query heads, 1 to 128; fewer than 4 could not address the latest draft in our trials."""
    kv_heads: Annotated[int, Field(ge=1, le=128)] = 2
    """Key-value heads, 1 to `heads`, which is a multiple of it (grouped-query attention, arXiv 2305.13245)."""
    intermediate: Annotated[int, Field(ge=8, le=65_536)] = 352
    """Width of the gated feed-forward layer, 8 to 65536; about 8/3 of `hidden` (arXiv 2002.05202)."""
    vocabulary: Annotated[int, Field(ge=64, le=262_144)] = 1024
    """Most tokens that the tokenizer trained on the logs may have, 64 to 262144."""
    max_length: Annotated[int, Field(ge=32, le=131_072)] = 640
    """Longest dialogue in tokens, prompt included, 32 to 131072."""
    prompt: Literal["once", "each turn"] = "once"
    """Where the prompt stands: `once` at the start, or again before what the other side says at `each turn`."""

    @model_validator(mode="after")
    def _rules(self) -> ModelConfig:
        if self.hidden % self.heads:
            raise broken(
                "hidden",
                f"hidden is {self.hidden}, not a multiple of heads ({self.heads})",
                f"make hidden a multiple of {self.heads}, for example {max(1, self.hidden // self.heads) * self.heads}",
            )
        if self.heads % self.kv_heads:
            raise broken(
                "kv_heads",
                f"kv_heads is {self.kv_heads}, which does not divide heads ({self.heads})",
                f"use one of {', '.join(str(n) for n in range(1, self.heads + 1) if self.heads % n == 0)}",
            )
        if self.base is None and (self.revision is not None or self.chat_template is not None):
            key = "revision" if self.revision is not None else "chat_template"
            raise broken(key, f"{key} is given, but base is not", "name the model with base, or leave it out")
        if (self.hidden // self.heads) % 2:
            raise broken(
                "hidden",
                f"hidden / heads is {self.hidden // self.heads}, an odd number",
                "rotary positions turn pairs of numbers: make hidden / heads even",
            )
        return self


class UserModelConfig(ModelConfig):
    """A user model: its goal is restated at each turn, next to the message that it is compared with."""

    max_length: Annotated[int, Field(ge=32, le=131_072)] = 1024
    """Longest dialogue in tokens, the goal restated at each turn included, 32 to 131072."""
    prompt: Literal["once", "each turn"] = "each turn"
    """Where the goal stands: `once` at the start, or again before what the agent says at `each turn`."""


class UnseenUserModelConfig(UserModelConfig):
    """The user family that no agent is trained with: smaller, and from scratch, so that it errs in other places."""

    hidden: Annotated[int, Field(ge=8, le=8192)] = 64
    """Width of the residual stream, 8 to 8192; a multiple of `heads`."""
    intermediate: Annotated[int, Field(ge=8, le=65_536)] = 176
    """Width of the gated feed-forward layer, 8 to 65536."""


class SFTConfig(StageConfig):
    """Supervised fine-tuning of a base agent (agent side) or of a user (roles reversed)."""

    steps: Annotated[int, Field(ge=1, le=10_000_000)] = 1500
    """Most optimiser steps, 1 to 10000000; the learning rate falls to 0 with the last one."""
    epochs: Annotated[int, Field(ge=1, le=1000)] = 20
    """Most passes over the training dialogues, 1 to 1000."""
    learning_rate: LearningRate = 3e-3
    """Peak of AdamW's learning rate, above 0 and at most 1."""
    batch_tokens: Annotated[int, Field(ge=32, le=10_000_000)] = 2048
    """Tokens per optimiser step, padding included, 32 to 10000000; at least the longest dialogue."""
    copying_steps: Annotated[int, Field(ge=0, le=1_000_000)] = 1400
    """Steps on repeated random tokens before SFT, once for all cells, 0 (none) to 1000000."""
    comparison_weight: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Weight of a user's loss on what the agent's messages lack, add and repeat, 0 (likelihood alone) to 100."""
    other_side_weight: Share = 0.3
    """Weight of what this side did not write (prompt, other side) in the loss, 0 to 1: a new model must learn to read."""
    warmup: Share = 0.05
    """Share of the steps in which the learning rate rises from 0, 0 to 1."""
    validation_share: Annotated[float, Field(gt=0, lt=0.9)] = 0.1
    """Share of the people whose dialogues choose the best epoch, between 0 and 0.9."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.3
    """AdamW's decoupled weight decay, 0 to 1; far above the usual 0.01, as the logs are few (arXiv 2509.14786)."""
    patience: Annotated[int, Field(ge=1, le=1000)] = 3
    """Epochs without a lower validation loss before training stops, 1 to 1000; the best epoch is kept."""


class ResidualConfig(StageConfig):
    """What a fine-tuned user still gets wrong, learned as a residual energy (arXiv 2004.11714) to resample its replies."""

    candidates: Annotated[int, Field(ge=1, le=64)] = 4
    """Replies that an aligned user writes for each one it says, 1 (SFT alone, nothing is learned) to 64."""
    contexts: Annotated[int, Field(ge=100, le=1_000_000)] = 6000
    """Logged contexts in which people's reply is told from the model's own, 100 to 1000000; fewer where fewer exist."""
    min_gain: Annotated[float, Field(ge=0, le=10)] = 0.02
    """Nats per reply that the energy must see on held-out persons to be used at all, 0 to 10: candidates cost time."""


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


class EndpointConfig(StageConfig):
    """A prompted LLM as the user, behind any OpenAI-compatible endpoint."""

    model: str | None = None
    """Its name at the endpoint; null: no endpoint, and a programme stands in for a prompted LLM."""
    base_url: str | None = None
    """Address up to and with /v1; null for the provider's own."""
    api_key_env: str = "OPENAI_API_KEY"
    """Environment variable that holds the key; it need not be set where base_url is given."""
    prompt: Path | None = None
    """Jinja file with the system prompt, which may use `goal`, `leave` and `forced`; null for the package's own."""
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Decoding temperature, 0 to 2."""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 200
    """Longest answer in tokens, 1 to 100000."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 16
    """Requests at once, in each worker process, 1 to 1024."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    """How long to wait for an answer, above 0 and at most 3600."""
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    """Further attempts before a dialogue is given up and counted as failed, 0 to 100."""
    pause_seconds: Annotated[float, Field(ge=0, le=60)] = 1.0
    """Pause before the second attempt, which doubles with each further one, 0 to 60."""
    max_total_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of all answers and what they answered, at which the run stops; null for no limit."""
    max_cost: Annotated[float, Field(gt=0)] | None = None
    """Money at which the run stops, in the unit of the prices; null for no limit."""
    price_in: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens that are read, 0 or more."""
    price_out: Annotated[float, Field(ge=0)] = 0.0
    """Price of a million tokens that are written, 0 or more."""

    @model_validator(mode="after")
    def _rules(self) -> EndpointConfig:
        if self.max_cost is not None and not self.price_in and not self.price_out:
            raise broken("max_cost", "max_cost is given, but no price", "give price_in and price_out, or leave it out")
        return self


class SamplingConfig(StageConfig):
    """How models speak while dialogues are collected."""

    temperature: Temperature = 1.0
    """Decoding temperature in training and of simulated users, above 0 and at most 10."""
    max_message_tokens: Annotated[int, Field(ge=1, le=8192)] = 40
    """Longest message in tokens, its end included, 1 to 8192."""
    width: Annotated[int, Field(ge=1, le=65_536)] = 512
    """Dialogues held at once, 1 to 65536; more is faster and takes more memory."""


class RLConfig(StageConfig):
    """GRPO (arXiv 2402.03300) on the agent's tokens; the arms differ only in where contexts and users come from."""

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
    learning_rate: LearningRate = 6e-4
    """AdamW's learning rate, above 0 and at most 1; 1e-3 wrecked tiny models within 10 steps in our trials."""
    kl_weight: Annotated[float, Field(ge=0, le=100)] = 0.0
    """Weight of the KL penalty towards the base agent, 0 (none) to 100."""
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

    @model_validator(mode="after")
    def _rules(self) -> RLConfig:
        if self.min_groups > self.max_groups:
            raise broken(
                "min_groups",
                f"min_groups is {self.min_groups}, more than max_groups ({self.max_groups})",
                "lower min_groups or raise max_groups",
            )
        return self


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
    arms: Annotated[tuple[Arm, ...], Field(min_length=1)] = ARMS
    """Arms to train and judge, each once: base, control, static, interactive, calibrated, oracle."""
    severities: tuple[Share, ...] = ()
    """Severities of the graded sweep, each 0 to 1; empty for no sweep."""
    log_sizes: tuple[LogSize, ...] = ()
    """Numbers of dialogues of the how-many-logs sweep, each 10 to 100000; empty for no sweep."""
    data: Path | None = None
    """Folder of real dialogues, for the families that need one; relative to where the command is run."""
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
    rl: RLConfig = RLConfig()
    """Reinforcement learning."""
    judge: JudgeConfig = JudgeConfig()
    """Judging."""
    sampling: SamplingConfig = SamplingConfig()
    """Sampling."""
    prompted: EndpointConfig = EndpointConfig()
    """The prompted user of the interactive arm: a programme that stands in for one, or a real LLM."""

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


def broken(key: str, what: str, fix: str) -> PydanticCustomError:
    """A broken rule between keys; `key` (dotted, from this section) says where to point."""
    return PydanticCustomError("rule", "{what}", {"key": key, "what": what, "fix": fix})


def _repeated(values: Sequence[Any]) -> list[Any]:
    return [value for position, value in enumerate(values) if value in values[:position]]
