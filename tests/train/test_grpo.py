from __future__ import annotations

import contextlib
import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import ColourFamily, ColourUser, colour_dialogue
from understudy.align.sft import fit
from understudy.config import RLConfig, SFTConfig
from understudy.errors import UnderstudyError
from understudy.models.chat_model import ChatModel
from understudy.models.speaker import ModelSpeaker
from understudy.train.advantages import exponential_map, turn_advantages
from understudy.train.loop import train
from understudy.train.losses import grpo_loss
from understudy.train.multiturn_aware import MultiturnAwareRollouts
from understudy.train.rollouts import WHOLE, Collected, ConversationRollouts, LoggedRollouts, Rollout, RolloutSource
from understudy.types import Dialogue, Task, TokenRecord


def test_advantages_by_hand() -> None:
    rewards = np.array([1.0, 0.0, 0.0, 1.0, 0.5, 0.5, 0.0, 3.0])
    groups = np.array([0, 0, 0, 0, 1, 1, 2, 2])
    advantages, kept = turn_advantages([(r,) for r in rewards], groups.tolist())
    assert [a.tolist() for a in advantages] == [[1], [-1], [-1], [1], [0], [0], [-1], [1]]
    assert kept.tolist() == [True] * 4 + [False] * 2 + [True] * 2


def test_credit_by_hand() -> None:
    """Three dialogues about one task; the last is over after its first message."""
    rewards, groups = [(1.0, 0.0, 1.0), (0.0, 0.0, 1.0), (0.0,)], [7, 7, 7]
    # Scores with a discount of .5: 1.25, .25, 0: their mean is .5, their variance (.75^2 + .25^2 + .5^2) / 3.
    spread = (0.875 / 3) ** 0.5
    equal, _ = turn_advantages(rewards, groups, discount=0.5)
    assert [a.tolist() for a in equal] == [
        pytest.approx([0.75 / spread] * 3),
        pytest.approx([-0.25 / spread] * 3),
        pytest.approx([-0.5 / spread]),
    ]
    # To go: (1.25, .5, 1), (.25, .5, 1), (0): only the first turn differs from its mean, .5.
    to_go, kept = turn_advantages(rewards, groups, credit="reward-to-go", discount=0.5)
    spread = (0.875 / 7) ** 0.5
    assert [a.tolist() for a in to_go] == [
        pytest.approx([0.75 / spread, 0, 0]),
        pytest.approx([-0.25 / spread, 0, 0]),
        pytest.approx([-0.5 / spread]),
    ]
    assert kept.all()
    # A message without a reward counts half of one with the largest; together as many as there are.
    mapped, _ = turn_advantages(rewards, groups, credit="exponential", discount=0.5)
    assert mapped[0].tolist() == pytest.approx((equal[0] * np.array([1.2, 0.6, 1.2])).tolist())
    assert mapped[2].tolist() == pytest.approx(equal[2].tolist())
    some = 0.5 + 0.5 * (1 - np.exp(-1)) / (1 - np.exp(-2))
    assert exponential_map(np.array([0.0, 0.5, 1.0])).tolist() == pytest.approx([0.5, some, 1.0])


def test_a_terminal_reward_to_go_is_compared_with_those_who_came_as_far() -> None:
    rewards = [(0.0, 1.0), (0.0, 0.0), (0.0,)]
    advantages, _ = turn_advantages(rewards, [0, 0, 0], credit="reward-to-go")
    # The first turn against 1/3, the second against 1/2.
    signs = [np.sign(a).tolist() for a in advantages]
    assert signs == [[1, 1], [-1, -1], [-1]]
    assert advantages[0][0] / advantages[0][1] == pytest.approx((2 / 3) / (1 / 2))


def test_loss_by_hand() -> None:
    old = torch.log(torch.tensor([[0.5, 0.5, 0.5], [0.5, 0.5, 0.5]]))
    new = torch.log(torch.tensor([[0.5, 0.75, 0.25], [0.4, 0.75, 0.9]]))
    mask = torch.tensor([[True, True, True], [True, True, False]])
    loss = grpo_loss(new, old, torch.tensor([[1.0], [-2.0]]), mask, clip=0.2, normalizer=5.0)
    # Row 0 (A=1): ratios 1, 1.5 (clipped to 1.2), 0.5 (the smaller one counts). Row 1 (A=-2): 0.8, 1.5 (unclipped is
    # the smaller objective: -3), and a token of the user that must not count.
    assert loss.item() == pytest.approx(-(1 + 1.2 + 0.5 - 1.6 - 3.0) / 5)


def test_kl_term_by_hand() -> None:
    logp = torch.log(torch.tensor([[0.5]]))
    reference = torch.log(torch.tensor([[0.25]]))
    loss = grpo_loss(
        logp, logp, torch.tensor([[0.0]]), torch.ones(1, 1, dtype=torch.bool),
        clip=0.2, normalizer=1.0, reference_logp=reference, kl_weight=2.0,
    )  # fmt: skip
    assert loss.item() == pytest.approx(2 * (0.5 - np.log(0.5) - 1))


def test_the_users_tokens_never_train_the_agent() -> None:
    logp = torch.zeros(1, 4, requires_grad=True)
    mask = torch.tensor([[False, True, False, True]])
    grpo_loss(logp, logp.detach(), torch.tensor([[1.0]]), mask, clip=0.2, normalizer=2.0).backward()
    assert logp.grad is not None
    assert (logp.grad != 0).tolist() == mask.tolist()


CONFIG = RLConfig(steps=6, messages_per_step=64, group_size=4, min_groups=4, max_groups=16, checkpoint_every=2,
                  learning_rate=3e-3)  # fmt: skip


def run(
    model: ChatModel,
    folder: Path,
    config: RLConfig = CONFIG,
    stop_at: int | None = None,
    family: ColourFamily | None = None,
) -> ChatModel:
    policy = ChatModel(copy.deepcopy(model.model), model.tokenizer)
    speaker = ModelSpeaker(policy, "agent", width=16, max_message_tokens=5)
    source = ConversationRollouts(family or ColourFamily(), ColourUser(), seed=3, width=16)

    class Killed(Exception):
        pass

    def on_step(step: int, figures: dict[str, float]) -> None:
        if step == stop_at:
            raise Killed

    folder.mkdir(exist_ok=True)
    with contextlib.suppress(Killed):
        train(policy, speaker, source, config, scratch=folder, on_step=on_step)
    return policy


@pytest.mark.parametrize("kl_weight", [0.0, 0.1])
def test_a_killed_run_resumes_to_the_same_weights_and_metrics(
    tiny_model: ChatModel, tmp_path: Path, kl_weight: float
) -> None:
    config = CONFIG.model_copy(update={"kl_weight": kl_weight})
    whole = run(tiny_model, tmp_path / "whole", config)
    run(tiny_model, tmp_path / "killed", config, stop_at=4)
    resumed = run(tiny_model, tmp_path / "killed", config)
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert a.equal(b)

    def rows(name: str) -> list[dict[str, float]]:
        lines = [json.loads(line) for line in (tmp_path / name / "metrics.jsonl").read_text().splitlines()]
        return [{k: v for k, v in row.items() if "seconds" not in k} for row in lines]

    assert rows("whole") == rows("killed")


def test_a_step_in_which_every_dialogue_fails_stops_and_goes_on_when_the_user_is_back(
    tiny_model: ChatModel, tmp_path: Path
) -> None:
    user = ColourUser()

    def go_on(down_after: int) -> ChatModel:
        policy = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
        speaker = ModelSpeaker(policy, "agent", width=16, max_message_tokens=5)
        source = ConversationRollouts(ColourFamily(), user, seed=3, width=16)

        def on_step(step: int, figures: dict[str, float]) -> None:
            user.failing = set(range(1000)) if step == down_after else set()

        train(policy, speaker, source, CONFIG, scratch=tmp_path, on_step=on_step)
        return policy

    with pytest.raises(UnderstudyError, match=r"step 4 of training: none of \d+ dialogues .* line went dead") as caught:
        go_on(down_after=2)
    assert "--resume" in caught.value.fix
    user.failing = set()
    resumed = go_on(down_after=99)
    rows = [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], row["failed"]) for row in rows] == [(step, 0) for step in range(6)]
    whole = run(tiny_model, tmp_path / "whole")
    for a, b in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert a.equal(b)


def test_logged_contexts_train_the_content_of_the_act(tiny_model: ChatModel, colour_logs: list[Dialogue]) -> None:
    speaker = ModelSpeaker(tiny_model, "agent", width=8, max_message_tokens=5)
    source = LoggedRollouts(ColourFamily(), colour_logs, seed=3, width=8)
    collected = source.collect(speaker, step=0, groups=5, group_size=4)
    assert [r.group for r in collected.rollouts] == [g for g in range(5) for _ in range(4)]
    assert all(len(r.record.spans) == 1 and r.agent_messages == 1 for r in collected.rollouts)
    forced = speaker.format.words("take")
    for rollout in collected.rollouts:
        start = rollout.record.spans[0][0]
        assert list(rollout.record.ids[start - len(forced) : start]) == forced


@pytest.mark.parametrize("arm", ["static", "multiturn-aware", "converses"])
def test_the_parts_that_processes_collect_are_the_whole(
    arm: str, tiny_model: ChatModel, colour_logs: list[Dialogue]
) -> None:
    family, user = ColourFamily(), ColourUser()
    source: RolloutSource = {
        "static": LoggedRollouts(family, colour_logs, seed=3, width=8),
        "multiturn-aware": MultiturnAwareRollouts(
            family, colour_logs, user, samples=2, turns=1, token_penalty=0.01, seed=3, width=8
        ),
        "converses": ConversationRollouts(family, user, seed=3, width=8),
    }[arm]
    speaker = ModelSpeaker(tiny_model, "agent", width=8, max_message_tokens=5)
    whole = source.collect(speaker, 1, 4, 3).rollouts
    parts = [r for part in (slice(0, 2), slice(2, 4)) for r in source.collect(speaker, 1, 4, 3, part).rollouts]
    # Other neighbours in a batch move log-probabilities by their rounding alone.
    assert [(r.group, r.reward, r.record.ids, r.record.sampled) for r in parts] == [
        (r.group, r.reward, r.record.ids, r.record.sampled) for r in whole
    ]
    assert {r.group for r in whole} == {0, 1, 2, 3}


class AlwaysRed(ColourFamily):
    """Everybody wants red: what RL can learn without reading."""

    def sample_task(self, rng: np.random.Generator, id: str) -> Task:
        return Task(self.name, id, "you sell paint", "you want red", {"colour": "red"})


class TwoMessages:
    """Two dialogues of two messages each; the first one's first message earns, the other's second."""

    messages_per_rollout = 2.0

    def collect(self, agent: ModelSpeaker, step: int, groups: int, group_size: int, part: slice = WHOLE) -> Collected:
        ids, sampled = (5, 6, 7, 8, 9, 10), (False, True, True, False, False, True)
        record = TokenRecord(ids, sampled, (0.0, -1.0, -1.0, 0.0, 0.0, -1.0), ((1, 3), (5, 6)))
        return Collected([Rollout(record, 1.0, 0, 2, turn_rewards=r) for r in ((1.0, 0.0), (0.0, 1.0))])


def test_each_message_is_trained_by_its_own_advantage(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def spy(logp: torch.Tensor, old: torch.Tensor, advantages: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        seen.append(advantages)
        return grpo_loss(logp, old, advantages, *args, **kwargs)

    monkeypatch.setattr("understudy.train.loop.grpo_loss", spy)
    policy = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
    speaker = ModelSpeaker(policy, "agent", width=4, max_message_tokens=5)
    config = CONFIG.model_copy(update={"steps": 1, "credit": "reward-to-go"})
    train(policy, speaker, TwoMessages(), config, scratch=tmp_path)
    # To go: (1, 0) and (1, 1), against means of 1 and .5.
    (found,) = seen
    high = found[0, 5].abs().item()
    assert high > 0
    for row, sign in zip(found.tolist(), (-1, 1), strict=True):
        assert row == pytest.approx([0, 0, 0, 0, 0, sign * high])
    # As whole dialogues both earned the same: nothing to learn from.
    train(policy, speaker, TwoMessages(), CONFIG.model_copy(update={"steps": 1}), scratch=tmp_path / "equalised")
    assert len(seen) == 1


@pytest.mark.slow
def test_training_raises_the_reward(tiny_model: ChatModel, tmp_path: Path) -> None:
    base = ChatModel(copy.deepcopy(tiny_model.model), tiny_model.tokenizer)
    sft = SFTConfig(epochs=20, patience=20, learning_rate=3e-3, batch_tokens=512)
    logs = [colour_dialogue(i) for i in range(300)]
    fit(base, "agent", logs[:270], logs[270:], sft, seed=0)
    config = CONFIG.model_copy(update={"steps": 25, "messages_per_step": 128, "learning_rate": 1e-3})
    run(base, tmp_path / "rl", config, family=AlwaysRed())
    rewards = [json.loads(line)["reward"] for line in (tmp_path / "rl" / "metrics.jsonl").read_text().splitlines()]
    # Guessing among six colours gives about 1/6; three standard errors of 3 x 64 dialogues are .08.
    assert np.mean(rewards[-3:]) > np.mean(rewards[:3]) + 0.2
