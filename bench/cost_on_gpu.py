"""What `understudy cost` says of two large models, against a GPU: seconds, memory, and the shares of the GPU that are reached.

    python bench/cost_on_gpu.py --agent examples/paper/shapes/gemma-3-4b --user examples/paper/shapes/qwen2.5-7b --gpu h100

Both models have the shapes of these folders and random weights in bf16; the agent trains an adapter with the package's loop
(`train.loop`), the user samples. Messages have the lengths asked for, no dialogue ends early, and the words are the models' own
random ones: what is measured is the arithmetic and the memory, not a dialogue. The first step warms up and is not counted.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from understudy.config import RLConfig
from understudy.models.adapters import add_adapter
from understudy.models.chat_model import ChatModel
from understudy.models.cost import DEVICES, Side, cost_of
from understudy.models.precision import default_device
from understudy.models.sampler import Sampler
from understudy.models.shape import shape_of
from understudy.train.loop import train
from understudy.train.rollouts import WHOLE, Collected, Rollout
from understudy.types import TokenRecord

GROUP = 8
RANK = 16


class FixedLengths:
    """Dialogues of given lengths between two samplers, and the seconds that each side took over the last of them."""

    messages_per_rollout: float

    def __init__(self, sides: dict[str, Side], samplers: dict[str, Sampler], turns: list[int]) -> None:
        self.sides, self.samplers, self.turns = sides, samplers, turns
        self.messages_per_rollout = float(turns[-1])
        self.seconds: list[dict[str, float]] = []

    def collect(self, agent: Any, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        count, generator = groups * group_size, np.random.default_rng(step)
        seconds = dict.fromkeys(self.sides, 0.0)
        views = {name: Views(side, count, generator) for name, side in self.sides.items()}
        for sampler in self.samplers.values():
            sampler.held[:] = 0
        for _ in range(self.turns[step]):
            for name, speaker in (("user", self.samplers["user"]), ("agent", self.samplers["agent"])):
                began, view = synchronised(), views[name]
                view.hear(generator)
                uniforms = generator.random((count, 1, self.sides[name].written))
                unread = [ids[held:] for ids, held in zip(view.ids, speaker.held, strict=False)]
                written = speaker.sample(range(count), unread, uniforms, stops=[], temperature=1.0)
                view.say([only.ids for (only,) in written], [only.logprobs for (only,) in written])
                seconds[name] += synchronised() - began
        self.seconds.append(seconds)
        records = views["agent"].records()
        rewards = generator.random(count)
        return Collected([Rollout(r, float(rewards[i]), i // GROUP, self.turns[step]) for i, r in enumerate(records)])


class Views:
    """What one side has read and written in each dialogue, as tokens."""

    def __init__(self, side: Side, count: int, generator: np.random.Generator) -> None:
        self.side = side
        self.ids = [random_ids(side, side.prompt, generator) for _ in range(count)]
        self.spans: list[list[tuple[int, int]]] = [[] for _ in range(count)]
        self.logprobs: list[list[float]] = [[] for _ in range(count)]

    def hear(self, generator: np.random.Generator) -> None:
        """Read as many tokens as the side hears; the other side's own ids may not be in this vocabulary."""
        for ids in self.ids:
            ids.extend(random_ids(self.side, self.side.heard, generator))

    def say(self, said: list[list[int]], logprobs: list[list[float]]) -> None:
        for ids, spans, own, new, logp in zip(self.ids, self.spans, self.logprobs, said, logprobs, strict=True):
            spans.append((len(ids), len(ids) + len(new)))
            ids.extend(new)
            own.extend(logp)

    def records(self) -> list[TokenRecord]:
        found = []
        for ids, spans, own in zip(self.ids, self.spans, self.logprobs, strict=True):
            mask, logp = np.zeros(len(ids), dtype=bool), np.zeros(len(ids))
            for start, stop in spans:
                mask[start:stop] = True
            logp[mask] = own
            found.append(TokenRecord(tuple(ids), tuple(mask.tolist()), tuple(logp.tolist()), tuple(spans)))
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agent", default="examples/paper/shapes/gemma-3-4b")
    parser.add_argument("--user", default="examples/paper/shapes/qwen2.5-7b")
    parser.add_argument("--gpu", default="h100", choices=sorted(DEVICES))
    parser.add_argument("--dialogues", type=int, default=48, help=f"held at once, a multiple of {GROUP}")
    parser.add_argument("--turns", type=int, default=6)
    parser.add_argument("--agent-tokens", type=int, default=200)
    parser.add_argument("--user-tokens", type=int, default=50)
    parser.add_argument("--micro-batch", type=int, default=8, help="dialogues learned from at once")
    parser.add_argument(
        "--checkpointing", action=argparse.BooleanOptionalAction, default=True, help="layers computed again"
    )
    parser.add_argument("--steps", type=int, default=1, help="measured, after one of a single turn")
    given = parser.parse_args()
    if default_device().type == "cpu":
        torch.set_num_threads(2)
    sides = {
        "agent": Side(shape_of(given.agent), 200, given.agent_tokens, given.user_tokens, given.turns),
        "user": Side(shape_of(given.user), 100, given.user_tokens, given.agent_tokens, given.turns),
    }
    began = synchronised()
    agent, user = random_model(given.agent, seed=0), random_model(given.user, seed=1)
    add_adapter(agent, RANK, token=1, revision=None, seed=0)
    samplers = {"agent": Sampler(agent, given.dialogues), "user": Sampler(user, given.dialogues)}
    print(f"{device_name()}: both models made in {synchronised() - began:.1f} s, {allocated()}", flush=True)
    source = FixedLengths(sides, samplers, [1] + [given.turns] * given.steps)
    groups = given.dialogues // GROUP
    config = RLConfig(
        steps=1 + given.steps,
        group_size=GROUP,
        min_groups=groups,
        max_groups=groups,
        gradient_checkpointing=given.checkpointing,
        micro_batch_tokens=given.micro_batch * (sides["agent"].length + 1),
        checkpoint_every=1000,
        learning_rate=1e-5,
    )
    policy = ChatModel(agent, SimpleNamespace(pad_token_id=0))  # type: ignore[arg-type]
    speaker = SimpleNamespace(sampler=samplers["agent"])
    with tempfile.TemporaryDirectory() as scratch:
        train(policy, speaker, source, config, scratch=Path(scratch))  # type: ignore[arg-type]
        rows = [json.loads(line) for line in (Path(scratch) / "metrics.jsonl").read_text().splitlines()]
    report(given, sides, rows[1:], source.seconds[1:])


def report(
    given: argparse.Namespace, sides: dict[str, Side], rows: list[dict[str, Any]], split: list[dict[str, float]]
) -> None:
    """Print what was measured beside the formula: with the shares that it assumes, and with all of the GPU."""
    estimates = {}
    for name, shares in (("by formula", {}), ("with all of the GPU", {"compute_share": 1.0, "bandwidth_share": 1.0})):
        estimates[name] = cost_of(
            sides["agent"],
            sides["user"],
            replace(DEVICES[given.gpu], memory=1e15),  # as many at once as were held
            dialogues=given.dialogues,
            lora_rank=RANK,
            frozen_bf16=True,
            checkpointing=given.checkpointing,
            **shares,
        )
    sampling = float(np.mean([row["sampling_seconds"] for row in rows]))
    learning = float(np.mean([row["seconds"] - row["sampling_seconds"] for row in rows]))
    print(f"{given.dialogues} dialogues of {given.turns} turns; peak {allocated(peak=True)}")
    for name, seconds in (("sampling", sampling), ("learning", learning)):
        formula = {
            e: 3600 * (f.sampling_hours if name == "sampling" else f.training_hours) for e, f in estimates.items()
        }
        print(
            f"{name}: {seconds:.1f} s, {formula['by formula']:.1f} s by formula (ratio {seconds / formula['by formula']:.2f}); "
            f"{formula['with all of the GPU'] / seconds:.1%} of the GPU"
        )
    for name, side in sides.items():
        seconds = float(np.mean([part[name] for part in split]))
        tokens = given.dialogues * side.turns * side.written
        print(
            f"  {name}: {seconds:.1f} s, {tokens / seconds:,.0f} tokens written a second, "
            f"{1000 * seconds / (side.turns * side.written):.1f} ms for each token of all dialogues, reading included"
        )
    print(f"  learned from: {given.dialogues * sides['agent'].length / learning:,.0f} tokens a second")
    print(f"  mean gap of log-probabilities, sampler to trainer: {rows[-1]['sampler_gap']:.4f} nats a token")


def random_model(folder: str, seed: int) -> PreTrainedModel:
    torch.manual_seed(seed)
    with default_device():
        model = AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(folder), dtype=torch.bfloat16)
    model.name_or_path = folder
    found: PreTrainedModel = model.eval().requires_grad_(False)
    return found


def random_ids(side: Side, count: int, generator: np.random.Generator) -> list[int]:
    ids: list[int] = generator.integers(2, side.shape.vocabulary, count).tolist()
    return ids


def synchronised() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def device_name() -> str:
    return torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"


def allocated(*, peak: bool = False) -> str:
    if not torch.cuda.is_available():
        return "memory not measured"
    return f"{(torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()) / 1e9:.1f} GB"


if __name__ == "__main__":
    main()
