"""What the tests of the engine trl train, where a process that is started can import it."""

from __future__ import annotations

import copy
import json
import os
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import torch
from accelerate import DistributedType, PartialState
from safetensors.torch import save_model
from torch.distributed.tensor import DTensor
from transformers import AutoModelForCausalLM, Trainer

from conftest import ColourUser, OddFamily
from understudy.config import RLConfig
from understudy.models import precision
from understudy.models.adapters import trainable
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker
from understudy.models.weights import copy_weights
from understudy.scheduler import Stage, StageContext
from understudy.train import trl_engine
from understudy.train.rollouts import WHOLE, Collected, ConversationRollouts, Rollout
from understudy.train.trl_engine import train_with_trl


class Kept(ConversationRollouts):
    """Remembers what it collected."""

    def __init__(self, failing: Sequence[int] = ()) -> None:
        super().__init__(OddFamily(), ColourUser(failing), seed=3, width=16)
        self.steps: list[Collected] = []

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        self.steps.append(super().collect(agent, step, groups, group_size, part))
        return self.steps[-1]


class Replay:
    """In vLLM's place: says what the local sampler said after the same tokens, and nothing after others."""

    rollouts: ClassVar[list[Rollout]]
    made: ClassVar[list[Replay]]

    def __init__(self, **given: Any) -> None:
        self.given = given
        self.events: list[str] = []
        self.weights: list[dict[str, torch.Tensor]] = []
        folder = Path(given["model"].name_or_path)
        whole = (folder / "config.json").is_file()
        self.started_from = AutoModelForCausalLM.from_pretrained(folder) if whole else None
        self.left = [(rollout.record, span) for rollout in self.rollouts for span in rollout.record.spans]
        self.made.append(self)

    def sync_weights(self) -> None:
        self.events.append("weights")
        self.weights.append({name: value.cpu().clone() for name, value in self._iter_named_params()})

    def _iter_named_params(self) -> Iterator[tuple[str, torch.Tensor]]:
        yield from self.given["model"].named_parameters()

    def generate(self, prompts: list[list[int]], images: None, num_generations: int) -> tuple[Any, ...]:
        self.events.append("messages")
        found = []
        for ids in prompts:
            index = next(i for i, (record, span) in enumerate(self.left) if [*record.ids[: span[0]]] == ids)
            found.append(self.left.pop(index))
        said = [[*record.ids[start:stop]] for record, (start, stop) in found]
        logprobs = [[[lp] for lp in record.logprobs[start:stop]] for record, (start, stop) in found]
        return prompts, said, logprobs, None


def run(engine: Any, model: ChatModel, scratch: Path, source: Kept, config: RLConfig, **more: Any) -> ChatModel:
    policy = ChatModel(copy.deepcopy(model.model), copy.deepcopy(model.tokenizer))
    speaker = ModelSpeaker(policy, "agent", width=16, max_message_tokens=5)
    scratch.mkdir(exist_ok=True)
    engine(policy, speaker, source, config, scratch=scratch, **more)
    return policy


def second_step(engine: Any, start: ChatModel, scratch: Path, config: RLConfig) -> torch.Tensor:
    """How the second step moves what is trained, as one row of numbers."""
    scratch.mkdir()
    after = []
    for steps in (1, 2):
        model = run(engine, start, scratch / str(steps), Kept(), config.model_copy(update={"steps": steps})).model
        after.append(torch.cat([p.detach().flatten() for p in trainable(model).values()]))
    return after[1] - after[0]


def alike(a: torch.Tensor, b: torch.Tensor) -> float:
    """Cosine of the angle between two rows of numbers."""
    return float(torch.nn.functional.cosine_similarity(a, b, dim=0))


def learned_from(batches: Sequence[dict[str, torch.Tensor]]) -> dict[tuple[int, ...], tuple[list[int], float]]:
    """What TRL's loss was given, by the ids of each row: its mask over prompt and completion, and its advantage."""
    found = {}
    for batch in batches:
        for i in range(len(batch["prompt_ids"])):
            prompt = batch["prompt_ids"][i][batch["prompt_mask"][i].bool()].tolist()
            inside = batch["completion_mask"][i].bool()
            ids, mask = (batch[key][i][inside].tolist() for key in ("completion_ids", "tool_mask"))
            found[tuple(prompt + ids)] = ([0] * len(prompt) + mask, float(batch["advantages"][i]))
    return found


def rows(scratch: Path) -> list[dict[str, float]]:
    """The figures of each step."""
    return [json.loads(line) for line in (scratch / "metrics.jsonl").read_text().splitlines()]


def context_of(folder: Path, heard: list[tuple[int, int, dict[str, Any]]]) -> StageContext:
    """A stage's, whose reports are heard."""
    output = folder / "output"
    output.mkdir(parents=True)
    return StageContext(Stage("s", (), "m:f"), folder, output, lambda *report: heard.append(report))


def train(
    context: StageContext,
    *,
    model: Path,
    failing: Sequence[int],
    config: RLConfig,
    killed_at: int = -1,
    exact: bool = False,
) -> None:
    """One of several processes; where weights are sharded, says of how many values this one held how many.

    Args:
        killed_at: before the end of this step.
        exact: in fp32 where bf16 is faster.
    """
    if exact:
        precision.fast_bf16 = trl_engine.fast_bf16 = lambda: False

    def bring_home(sharded: torch.nn.Module, target: torch.nn.Module) -> None:
        held = sum(p.to_local().numel() for p in sharded.parameters() if isinstance(p, DTensor))
        (context.output / f"held{os.environ['RANK']}.txt").write_text(
            f"{held} {sum(p.numel() for p in target.parameters())}"
        )
        copy_weights(sharded, target)

    trl_engine.copy_weights = bring_home
    if config.shard:
        _let_accelerate_shard_over_processors()

    def on_step(step: int, figures: dict[str, float]) -> None:
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        context.progress(step + 1, config.steps, reward=figures["reward"])

    policy = run(train_with_trl, load_chat_model(model), context.scratch, Kept(failing), config, on_step=on_step)
    save_model(policy.model, str(context.output / f"rank{os.environ['RANK']}.safetensors"))


def _let_accelerate_shard_over_processors() -> None:
    """It shards over GPUs alone, and quietly takes DDP elsewhere; torch itself would shard over processors as well."""
    make = Trainer.create_accelerator_and_postprocess

    def make_as_if_there_were_gpus(self: Trainer) -> None:
        PartialState._shared_state["distributed_type"] = DistributedType.MULTI_GPU
        make(self)

    Trainer.create_accelerator_and_postprocess = make_as_if_there_were_gpus
