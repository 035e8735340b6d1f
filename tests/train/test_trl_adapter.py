"""TRL trains an adapter as the local loop does: the same dialogues and masks, the adapter alone, and a killed run goes on."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import LlamaForCausalLM
from trl import GRPOTrainer

import trl_processes
from trl_processes import Kept, Replay, alike, context_of, learned_from, rows, run, second_step
from understudy.config import ModelConfig, RLConfig, load_config
from understudy.errors import ConfigError, RunError
from understudy.models.adapters import trainable
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.speaker import ModelSpeaker
from understudy.models.start import start_model
from understudy.scheduler import in_processes
from understudy.train.loop import train
from understudy.train.rollouts import WHOLE, Collected
from understudy.train.trl_engine import train_with_trl

CONFIG = RLConfig(
    engine="trl", steps=4, messages_per_step=64, group_size=4, min_groups=4, max_groups=4, learning_rate=1e-3, warmup_steps=2,
    micro_batch_tokens=800, checkpoint_every=2,
)  # fmt: skip
# Clipped to one small norm, gradients are the same: the unbiased deviation and the normaliser scale them.
TWO_STEPS = CONFIG.model_copy(update={"steps": 2, "max_grad_norm": 0.05})
Values = dict[str, torch.Tensor]


def adapter(tiny_model: ChatModel, folder: Path, *, tied: bool = True, weights: str = "fp32") -> ChatModel:
    """One that has learned something, as after SFT: where it begins as no change, half of it has no gradient."""
    made = ChatModel(tiny_model.model, tiny_model.tokenizer)
    if not tied:
        config = type(made.model.config)(**{**made.model.config.to_dict(), "tie_word_embeddings": False})
        torch.manual_seed(2)
        made = ChatModel(LlamaForCausalLM(config), made.tokenizer)
    made.save(folder / "base")
    given = ModelConfig(base=str(folder / "base"), max_length=96, lora_rank=4, weights=weights)
    made = start_model([], given, seed=0)
    torch.manual_seed(3)
    for parameter in trainable(made.model).values():
        torch.nn.init.normal_(parameter, std=0.1)
    made.save(folder / "adapter")
    return load_chat_model(folder / "adapter")


def moved(model: ChatModel) -> Values:
    return {name: p.detach().cpu().clone() for name, p in trainable(model.model).items()}


def frozen(model: ChatModel) -> Values:
    return {name: p.cpu().clone() for name, p in model.model.named_parameters() if not p.requires_grad}


def same(a: Values, b: Values) -> bool:
    return a.keys() == b.keys() and all(
        value.dtype == b[name].dtype and value.equal(b[name]) for name, value in a.items()
    )


class Watched(Kept):
    """Remembers the adapter that each step was sampled with, too."""

    def __init__(self, adapter: Sequence[str]) -> None:
        super().__init__()
        self.adapter, self.sampled_with = adapter, list[Values]()

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        held = agent.sampler.model.state_dict()
        self.sampled_with.append({name: held[name].cpu().clone() for name in self.adapter})
        return super().collect(agent, step, groups, group_size, part)


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """In bf16 the gradients of two ways would differ by rounding, and words of later steps with them."""
    monkeypatch.setattr("understudy.models.precision.fast_bf16", lambda: False)
    monkeypatch.setattr("understudy.train.trl_engine.fast_bf16", lambda: False)


@pytest.mark.slow
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("tied", [True, False], ids=["one matrix is read and written", "two matrices"])
def test_two_steps_are_those_of_the_local_loop(
    tied: bool, tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, torch.Tensor]] = []
    compute = GRPOTrainer._compute_loss
    monkeypatch.setattr(
        GRPOTrainer, "_compute_loss", lambda self, m, inputs: (seen.append(inputs), compute(self, m, inputs))[1]
    )
    start = adapter(tiny_model, tmp_path, tied=tied)
    names = [*trainable(start.model)]
    assert sum("trainable_tokens_delta" in name for name in names) == (1 if tied else 2)
    here, there = Watched(names), Watched(names)
    local = run(train, start, tmp_path / "local", here, TWO_STEPS)
    other = run(train_with_trl, start, tmp_path / "trl", there, TWO_STEPS)

    assert there.steps[0] == here.steps[0]
    trained = learned_from(seen)
    for mine, theirs in zip(here.steps, there.steps, strict=True):
        for a, b in zip(mine.rollouts, theirs.rollouts, strict=True):
            for key in ("ids", "sampled", "spans"):
                assert getattr(b.record, key) == getattr(a.record, key)
            assert b.record.logprobs == pytest.approx(a.record.logprobs, abs=1e-4)
            assert (b.reward, b.group, b.walked_out) == (a.reward, a.group, a.walked_out)
            end = max(i for i, sampled in enumerate(b.record.sampled) if sampled) + 1
            mask, _ = trained[b.record.ids[:end]]
            assert mask == [int(sampled) for sampled in b.record.sampled[:end]]
    for mine_row, theirs_row in zip(rows(tmp_path / "local"), rows(tmp_path / "trl"), strict=True):
        for key in ("reward", "reward_std", "entropy", "tokens", "turns", "failed", "groups", "undetermined"):
            assert theirs_row[key] == pytest.approx(mine_row[key], rel=1e-4), key

    # The adapter has moved, as the local loop moved it, and was sampled with as it was then; nothing else has moved.
    before, mine_after, theirs_after = moved(start), moved(local), moved(other)
    assert same(there.sampled_with[0], before)
    for name in names:
        far = (theirs_after[name] - before[name]).abs().max()
        assert far > 5e-4, name
        assert (theirs_after[name] - mine_after[name]).abs().mean() < 0.01 * far, name
        assert (there.sampled_with[1][name] - here.sampled_with[1][name]).abs().mean() < 0.01 * far, name
        assert not there.sampled_with[1][name].equal(before[name])
    assert same(frozen(other), frozen(start))

    # It is saved and loaded as any other.
    other.save(tmp_path / "saved")
    assert not (tmp_path / "saved" / "model.safetensors").exists()
    loaded = load_chat_model(tmp_path / "saved")
    assert same(moved(loaded), theirs_after)
    assert same(frozen(loaded), frozen(start))


@pytest.mark.slow
@pytest.mark.usefixtures("exact")
def test_a_kl_penalty_pulls_the_adapter_back_to_where_it_began(tiny_model: ChatModel, tmp_path: Path) -> None:
    start = adapter(tiny_model, tmp_path)
    strong = CONFIG.model_copy(update={"kl_weight": 100.0})
    held = second_step(train_with_trl, start, tmp_path / "trl", strong)
    # Not the same: TRL also pulls in dialogues of groups without variance, which the local loop leaves out.
    assert alike(held, second_step(train, start, tmp_path / "local", strong)) > 0.7
    assert alike(held, second_step(train, start, tmp_path / "free", CONFIG)) < 0.5


@pytest.mark.slow
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("tied", [True, False], ids=["one matrix is read and written", "two matrices"])
def test_vllm_is_given_the_weights_with_the_adapter_added(
    tied: bool, tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = adapter(tiny_model, tmp_path, tied=tied)
    here, there = Watched([*trainable(start.model)]), Kept()
    run(train_with_trl, start, tmp_path / "ours", here, TWO_STEPS)
    Replay.rollouts, Replay.made = [rollout for step in here.steps for rollout in step.rollouts], []
    monkeypatch.setattr("trl.trainer.grpo_trainer.VLLMGeneration", Replay)
    monkeypatch.setattr("understudy.train.trl_engine.need_vllm", lambda: None)
    done = run(train_with_trl, start, tmp_path / "vllm", there, TWO_STEPS.model_copy(update={"vllm": True}))
    assert there.steps == here.steps
    (vllm,) = Replay.made
    ids = torch.tensor([here.steps[0].rollouts[0].record.ids])
    plain, adapted = vllm.started_from, copy.deepcopy(start.model)
    with torch.no_grad():
        torch.testing.assert_close(plain(ids).logits, adapted(ids).logits, atol=1e-4, rtol=0)
        for given, held in zip(vllm.weights, here.sampled_with, strict=True):
            assert given.keys() == {name for name, _ in plain.named_parameters()}
            plain.load_state_dict(given, strict=False)
            adapted.load_state_dict(held, strict=False)
            torch.testing.assert_close(plain(ids).logits, adapted(ids).logits, atol=1e-4, rtol=0)
    assert same(frozen(done), frozen(start))
    assert done.model.name_or_path == start.model.name_or_path
    assert not (tmp_path / "vllm" / "vllm").exists(), "what vLLM starts from is not kept"


@pytest.mark.slow
def test_a_killed_run_goes_on_from_the_adapter_alone(tiny_model: ChatModel, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def stop(step: int, figures: dict[str, float]) -> None:
        if step == 3:
            raise Killed

    start = adapter(tiny_model, tmp_path, weights="bf16")
    whole = run(train_with_trl, start, tmp_path / "whole", Kept([1, 6]), CONFIG)
    with pytest.raises(Killed):
        run(train_with_trl, start, tmp_path / "killed", Kept([1, 6]), CONFIG, on_step=stop)
    kept = tmp_path / "killed" / "trl" / "checkpoint-2"
    assert {file.name for file in kept.glob("*.safetensors")} == {"adapter_model.safetensors"}
    assert (
        load_file(kept / "adapter_model.safetensors").keys()
        == load_file(tmp_path / "adapter" / "adapter_model.safetensors").keys()
    ), "no frozen weights are written at each checkpoint"
    assert not same(moved(load_chat_model(kept)), moved(whole)), "it is ordinary, and an earlier one"
    resumed = run(train_with_trl, start, tmp_path / "killed", Kept([1, 6]), CONFIG)
    assert same(moved(resumed), moved(whole))
    assert same(frozen(resumed), frozen(start))
    assert {value.dtype for value in frozen(resumed).values()} == {torch.bfloat16}
    found = rows(tmp_path / "killed")
    assert [row["step"] for row in found] == [0, 1, 2, 3]
    assert [row["failed"] for row in found] == [2] * 4
    assert [row["reward"] for row in found] == [row["reward"] for row in rows(tmp_path / "whole")]


@pytest.mark.slow
def test_layers_may_be_computed_again_in_the_backward_pass(tiny_model: ChatModel, tmp_path: Path) -> None:
    start = adapter(tiny_model, tmp_path, weights="bf16")
    config = CONFIG.model_copy(update={"gradient_checkpointing": True})
    plain, again = (
        moved(run(train_with_trl, start, tmp_path / name, Kept(), given))
        for name, given in (("plain", CONFIG), ("again", config))
    )
    assert all(value.allclose(again[name], atol=1e-5) for name, value in plain.items())
    assert not same(again, moved(start))


@pytest.mark.slow
@pytest.mark.usefixtures("exact")
@pytest.mark.skipif(torch.cuda.device_count() == 1, reason="two processes take two GPUs, or none")
def test_two_processes_take_the_steps_of_one_and_go_on_when_killed(tiny_model: ChatModel, tmp_path: Path) -> None:
    start = adapter(tiny_model, tmp_path)
    one = run(train_with_trl, start, tmp_path / "one", Kept([1, 6]), CONFIG)
    heard: list[tuple[int, int, dict[str, float]]] = []
    context = context_of(tmp_path / "two", heard)
    what = {
        "model": tmp_path / "adapter",
        "failing": [1, 6],
        "config": CONFIG.model_copy(update={"processes": 2}),
        "exact": True,
    }
    with pytest.raises(RunError, match="exit code -9"):
        in_processes(2, trl_processes.train, context, killed_at=3, **what)
    heard.clear()
    in_processes(2, trl_processes.train, context, **what)
    assert [done for done, _, _ in heard] == [3, 4], "from the checkpoint after two steps"
    alone, together = rows(tmp_path / "one"), rows(context.scratch)
    for mine_row, theirs_row in zip(alone, together, strict=True):
        for key in ("step", "groups", "reward", "reward_std", "tokens", "turns", "failed", "dialogues", "entropy"):
            assert theirs_row[key] == pytest.approx(mine_row[key], rel=1e-4), key
    assert [row["failed"] for row in together] == [2] * 4
    first, second = (load_file(context.output / f"rank{rank}.safetensors") for rank in (0, 1))
    mine, before = one.model.state_dict(), start.model.state_dict()
    adapted = {name for name, p in start.model.named_parameters(remove_duplicate=False) if p.requires_grad}
    assert len(adapted & first.keys()) == len(trainable(start.model))
    for name, value in first.items():
        assert value.equal(second[name])
        if name in adapted:
            far = (value - before[name].cpu()).abs().max()
            assert far > 5e-4, name
            assert (value - mine[name].cpu()).abs().mean() < 0.01 * far, name
        else:
            assert value.equal(before[name].cpu()), name


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        (
            ["rl.engine=verl", "rl.kl_weight=.1", "arms=base,interactive"],
            "verl would hold the policy to its model without",
        ),
        (["rl.engine=trl", "rl.processes=2", "rl.shard=true"], "rl.shard is true, which does not go with the adapter"),
    ],
)
def test_what_does_not_go_with_an_adapter_is_refused(more: list[str], reason: str) -> None:
    adapted = ["model.base=a/b", "user_model.base=a/b", "unseen_user_model.base=a/c", "model.lora_rank=8"]
    load_config(overrides=[*adapted, "rl.engine=trl", "rl.processes=2"], preset="pretrained")
    with pytest.raises(ConfigError, match=reason):
        load_config(overrides=[*adapted, *more], preset="pretrained")
