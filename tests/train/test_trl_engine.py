"""TRL as the engine: the same ids, masks and rewards as the local loop, the same step, and a killed run that goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from trl import GRPOTrainer

import trl_processes
from trl_processes import Kept, Replay, alike, context_of, learned_from, rows, run, second_step
from understudy.config import RLConfig, load_config
from understudy.errors import ConfigError, ModelError, RunError, UnderstudyError
from understudy.models.chat_model import ChatModel, context_length
from understudy.scheduler import in_processes
from understudy.train.advantages import turn_advantages
from understudy.train.loop import train
from understudy.train.trl_engine import train_with_trl

CONFIG = RLConfig(
    steps=1, messages_per_step=64, group_size=4, min_groups=4, max_groups=4, learning_rate=1e-3, warmup_steps=2,
    micro_batch_tokens=800, checkpoint_every=2,
)  # fmt: skip


@pytest.mark.slow
def test_ids_masks_rewards_and_the_step_are_those_of_the_local_loop(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    compute = GRPOTrainer._compute_loss
    monkeypatch.setattr(
        GRPOTrainer, "_compute_loss", lambda self, m, inputs: (seen.append(inputs), compute(self, m, inputs))[1]
    )
    here, there = Kept(), Kept()
    local = run(train, tiny_model, tmp_path / "local", here, CONFIG)
    other = run(train_with_trl, tiny_model, tmp_path / "trl", there, CONFIG)
    assert there.steps == here.steps
    rollouts = here.steps[0].rollouts
    assert len(rollouts) == 16
    assert len(seen) > 1, "the step is made of several micro-batches"

    # What TRL learns from, row by row: shuffled among the micro-batches, so found again by its ids.
    advantages, _ = turn_advantages([r.rewards for r in rollouts], [r.group for r in rollouts])
    trained = learned_from(seen)
    for rollout, advantage in zip(rollouts, advantages, strict=True):
        record = rollout.record
        end = max(i for i, sampled in enumerate(record.sampled) if sampled) + 1
        mask, found = trained[record.ids[:end]]
        assert mask == [int(s) for s in record.sampled[:end]]
        # The unbiased standard deviation of four is larger by sqrt(4 / 3).
        assert found == pytest.approx(advantage[0] * np.sqrt(3 / 4), abs=1e-3)

    before, mine_after, theirs_after = (
        [p.detach().cpu() for p in m.model.parameters()] for m in (tiny_model, local, other)
    )
    moved = [(a - b).abs().max().item() for a, b in zip(mine_after, before, strict=True)]
    apart = [(a - b).abs().mean().item() for a, b in zip(mine_after, theirs_after, strict=True)]
    assert max(moved) == pytest.approx(5e-4, rel=0.01), "AdamW's first step, at half the rate in the warm-up"
    # Gradients differ by bf16 rounding, which turns the sign of those near 0.
    assert max(apart) < 0.15 * 5e-4
    mine, theirs = rows(tmp_path / "local")[0], rows(tmp_path / "trl")[0]
    for key in ("reward", "reward_std", "entropy", "tokens", "turns", "failed", "groups", "undetermined"):
        assert theirs[key] == pytest.approx(mine[key]), key


@pytest.mark.slow
def test_a_kl_penalty_pulls_back_to_the_start_as_in_the_local_loop(tiny_model: ChatModel, tmp_path: Path) -> None:
    """A first step is free of it, as the policy is the reference; a strong one all but takes it back in the second."""

    strong = CONFIG.model_copy(update={"kl_weight": 100.0})
    held = second_step(train_with_trl, tiny_model, tmp_path / "trl", strong)
    assert alike(held, second_step(train, tiny_model, tmp_path / "local", strong)) > 0.9
    assert alike(held, second_step(train, tiny_model, tmp_path / "free", CONFIG)) < 0.5


@pytest.mark.slow
def test_with_vllm_dialogues_and_figures_are_those_of_the_local_sampler(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = Kept([1, 6]), Kept([1, 6])
    two = CONFIG.model_copy(update={"steps": 2})
    run(train_with_trl, tiny_model, tmp_path / "ours", here, two)
    Replay.rollouts, Replay.made = [rollout for step in here.steps for rollout in step.rollouts], []
    monkeypatch.setattr("trl.trainer.grpo_trainer.VLLMGeneration", Replay)
    monkeypatch.setattr("understudy.train.trl_engine.need_vllm", lambda: None)
    config = two.model_copy(update={"engine": "trl", "vllm": True, "vllm_memory": 0.4})
    run(train_with_trl, tiny_model, tmp_path / "vllm", there, config)
    assert there.steps == here.steps
    (vllm,) = Replay.made
    assert vllm.events[:2] == ["weights", "messages"]
    assert vllm.events.count("weights") == 2, "before each step"
    assert vllm.events[-1] == "messages"
    assert vllm.left == []
    assert (vllm.given["mode"], vllm.given["gpu_memory_utilization"]) == ("colocate", 0.4)
    assert vllm.given["max_model_length"] == context_length(tiny_model.model)
    end = tiny_model.tokenizer.eos_token_id
    assert vllm.given["generation_kwargs"] == {"max_tokens": 5, "stop_token_ids": [end], "ignore_eos": True}
    mine, theirs = rows(tmp_path / "ours")[0], rows(tmp_path / "vllm")[0]
    for key in ("reward", "reward_std", "entropy", "tokens", "turns", "failed", "groups", "undetermined"):
        assert theirs[key] == pytest.approx(mine[key]), key


def test_vllm_that_is_not_there_is_said_before_anything_is_trained(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ModelError, match="vLLM, which is not installed"):
        run(train_with_trl, tiny_model, tmp_path, Kept(), CONFIG.model_copy(update={"engine": "trl", "vllm": True}))


@pytest.mark.slow
def test_a_killed_run_goes_on_and_failed_dialogues_are_left_out(tiny_model: ChatModel, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def stop(step: int, figures: dict[str, float]) -> None:
        if step == 3:
            raise Killed

    config = CONFIG.model_copy(update={"steps": 4})
    whole = run(train_with_trl, tiny_model, tmp_path / "whole", Kept([1, 6]), config)
    with pytest.raises(Killed):
        run(train_with_trl, tiny_model, tmp_path / "killed", Kept([1, 6]), config, on_step=stop)
    half = tmp_path / "killed" / "trl" / "checkpoint-3"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"killed while it was written")
    resumed = run(train_with_trl, tiny_model, tmp_path / "killed", Kept([1, 6]), config)
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert a.equal(b)
    assert resumed.tokenizer.eos_token == tiny_model.tokenizer.eos_token, "what TRL wants is not saved with the policy"
    assert resumed.model.config._attn_implementation == tiny_model.model.config._attn_implementation
    found = rows(tmp_path / "killed")
    assert [row["step"] for row in found] == [0, 1, 2, 3]
    assert [row["failed"] for row in found] == [2] * 4
    assert [row["dialogues"] for row in found] == [14] * 4
    assert [row["reward"] for row in found] == [row["reward"] for row in rows(tmp_path / "whole")]


@pytest.mark.slow
def test_a_step_in_which_every_dialogue_fails_stops(tiny_model: ChatModel, tmp_path: Path) -> None:
    with pytest.raises(UnderstudyError, match=r"step 1 of training: none of 16 dialogues .* line went dead"):
        run(train_with_trl, tiny_model, tmp_path, Kept(range(16)), CONFIG)


@pytest.mark.slow
@pytest.mark.skipif(torch.cuda.device_count() == 1, reason="two processes take two GPUs, or none")
@pytest.mark.parametrize("shard", [False, True], ids=["DDP", "FSDP, killed and gone on with"])
def test_two_processes_take_the_steps_of_one(shard: bool, tiny_model: ChatModel, tmp_path: Path) -> None:
    config = CONFIG.model_copy(update={"steps": 3, "engine": "trl", "kl_weight": 0.1})
    one = run(train_with_trl, tiny_model, tmp_path / "one", Kept([1, 6]), config)
    tiny_model.save(tmp_path / "model")
    heard: list[tuple[int, int, dict[str, Any]]] = []
    context = context_of(tmp_path / "two", heard)
    shared = config.model_copy(update={"processes": 2, "shard": shard})
    what = {"model": tmp_path / "model", "failing": [1, 6], "config": shared}
    if shard:
        with pytest.raises(RunError, match="exit code -9"):
            in_processes(2, trl_processes.train, context, killed_at=2, **what)
    in_processes(2, trl_processes.train, context, **what)
    alone, together = rows(tmp_path / "one"), rows(context.scratch)
    for key in ("step", "groups", "reward", "reward_std", "tokens", "turns", "failed", "dialogues", "entropy"):
        assert together[0][key] == pytest.approx(alone[0][key]), key
    assert [row["failed"] for row in together] == [2] * 3
    assert [(done, total) for done, total, _ in heard] == [(1, 3), (2, 3), (3, 3)], "the first process alone is heard"
    if shard:
        held = [[*map(int, (context.output / f"held{rank}.txt").read_text().split())] for rank in (0, 1)]
        assert sum(part for part, _ in held) == held[0][1]
        assert all(0.4 * whole < part < 0.6 * whole for part, whole in held)
    first, second = (load_file(context.output / f"rank{rank}.safetensors") for rank in (0, 1))
    mine = one.model.state_dict()
    for name, value in first.items():
        assert value.equal(second[name])
        # Rounding turns the sign of gradients near 0, and with it now and then a word of later steps.
        assert (value - mine[name]).abs().mean() < 0.2 * 2.5e-3


def test_what_it_does_not_have_is_refused() -> None:
    for credit in ("rl.credit=reward-to-go", "rl.discount=0.8"):
        with pytest.raises(ConfigError, match="one advantage per dialogue"):
            load_config(overrides=["rl.engine=trl", credit])
    with pytest.raises(ConfigError, match="the engine local does not start"):
        load_config(overrides=["rl.processes=2"])
    with pytest.raises(ConfigError, match="there is one process"):
        load_config(overrides=["rl.engine=trl", "rl.shard=true"])
    with pytest.raises(ConfigError, match="vllm is true, which the engine local does not have"):
        load_config(overrides=["rl.vllm=true"])
