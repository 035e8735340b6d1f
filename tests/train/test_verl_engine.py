"""verl as the engine: the same dialogues, ids, masks, log-probabilities and rewards as the local loop collects.

What needs no verl runs everywhere; the rest is skipped where verl is not installed, as it cannot stand beside what the
other tests need: `.ci/run` makes it an environment of its own, and runs this file there (docs/engines.md).
"""

from __future__ import annotations

import asyncio
import copy
import importlib.util
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from conftest import ColourUser, OddFamily, PartlyJudgedFamily
from understudy.config import CompareConfig, ModelConfig, load_config
from understudy.converse_async import SharedSpeaker
from understudy.errors import ConfigError, ModelError, RunError, UnderstudyError
from understudy.logs.read import read_dialogues, write_dialogues
from understudy.models.adapters import take_matrices
from understudy.models.chat_model import ChatModel
from understudy.models.load import load_chat_model
from understudy.models.sampler import Sampled, Sampler
from understudy.models.speaker import ModelSpeaker
from understudy.models.start import start_model
from understudy.pipeline import training
from understudy.pipeline.cell import Cell
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.runs import MetricsLog
from understudy.scheduler import Stage, StageContext
from understudy.speaker import Failure
from understudy.tasks import load_family
from understudy.train.advantages import turn_advantages
from understudy.train.figures import Budget, step_figures
from understudy.train.loop import train
from understudy.train.rollouts import Collected, ConversationRollouts, LoggedRollouts, Rollout, TrainingTasks
from understudy.train.verl import launch
from understudy.train.verl.episodes import Episodes, recorded_figures
from understudy.train.verl.launch import Arm, train_with_verl
from understudy.train.verl.settings import GROUP_ADVANTAGE, environment_of, prepare, settings, tasks_of
from understudy.train.verl.spec import LoopSpec
from understudy.types import Dialogue, TokenRecord
from understudy.users.population import PopulationSpeaker, PromptedSpeaker
from understudy.users.spec import UserSpec

needs_verl = pytest.mark.skipif(
    importlib.util.find_spec("verl") is None, reason="verl is not installed: it has an environment of its own"
)
GROUPS, SIZE, STEP = 4, 4, 3
CONFIG = CompareConfig.model_validate(
    {
        "families": ["elicit"],
        "arms": ["base", "oracle"],
        "rl": {
            "engine": "verl", "steps": 2, "messages_per_step": 64, "group_size": SIZE, "min_groups": GROUPS,
            "max_groups": GROUPS, "learning_rate": 1e-3, "warmup_steps": 2, "micro_batch_tokens": 1024,
            "checkpoint_every": 1,
        },
        "sampling": {"max_message_tokens": 5, "width": 16},
        "verl": {"rollout": "cpu", "loop_workers": 1, "overrides": ["trainer.log_val_generations=0"]},
    }
)  # fmt: skip


@pytest.fixture
def verl_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the processes that verl starts find in their environment."""
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    monkeypatch.setenv("VERL_LOGGING_LEVEL", "WARN")


@pytest.fixture
def rounded_model(tiny_model: ChatModel) -> ChatModel:
    """verl hands its weights to a server in bf16, which must not make it another policy."""
    model = ChatModel(copy.deepcopy(tiny_model.model), copy.deepcopy(tiny_model.tokenizer))
    model.model.load_state_dict({name: value.bfloat16().float() for name, value in model.model.state_dict().items()})
    return model


class Replay:
    """A server that gives what the local sampler gave in the same place: only if it is sent the same tokens."""

    def __init__(self, record: TokenRecord, end: int) -> None:
        self.record, self.end = record, end
        self.seeds: list[int] = []

    async def __call__(self, ids: list[int], seed: int) -> Sampled | Failure:
        self.seeds.append(seed)
        (start, stop) = next(span for span in self.record.spans if list(self.record.ids[: span[0]]) == ids)
        said, logprobs = list(self.record.ids[start:stop]), list(self.record.logprobs[start:stop])
        return Sampled(said, logprobs, said[-1] == self.end)


def spec_of(model: ChatModel, folder: Path, **more: Any) -> LoopSpec:
    model.save(folder / "base")
    values: dict[str, Any] = {
        "config": CONFIG,
        "family": "conftest:OddFamily",
        "seed": 3,
        "held_out": None,
        "user": UserSpec(kind="population"),
        "agent": folder / "base",
        "groups": GROUPS,
        "records": folder / "dialogues",
    }
    return LoopSpec(**values | more)


def local(model: ChatModel, failing: list[int], step: int = STEP) -> Collected:
    source = ConversationRollouts(OddFamily(), ColourUser(failing), seed=3, width=16)
    return source.collect(ModelSpeaker(model, "agent", width=16, max_message_tokens=5), step, GROUPS, SIZE)


def keyed(rollouts: list[Rollout], failing: list[int]) -> dict[int, Rollout]:
    """By their place in the step, which rollouts have lost to failures."""
    return dict(zip([k for k in range(GROUPS * SIZE) if k not in failing], rollouts, strict=True))


def test_rollouts_and_figures_are_those_of_the_local_loop(tiny_model: ChatModel, tmp_path: Path) -> None:
    failing = [1, 6]
    expected = local(tiny_model, failing)
    here = keyed(expected.rollouts, failing)
    user = ColourUser([STEP * GROUPS * SIZE + key for key in failing])
    episodes = Episodes(spec_of(tiny_model, tmp_path), SharedSpeaker(user, width=5))

    async def step() -> list[Rollout | None]:
        end = episodes.format.end_of_turn
        nobody = TokenRecord((), (), (), ())
        return await asyncio.gather(
            *(
                episodes.hold(
                    STEP,
                    key // SIZE,
                    key % SIZE,
                    Replay(here[key].record if key in here else nobody, end),
                )
                for key in range(GROUPS * SIZE)
            )
        )

    found = asyncio.run(step())
    assert found == [here.get(key) for key in range(GROUPS * SIZE)]
    assert len({r.reward for r in expected.rollouts}) == 2, "rewards that could not be told apart would prove little"
    figures = recorded_figures(tmp_path / "dialogues", [STEP, STEP + 1])
    assert figures[STEP] == pytest.approx(
        step_figures(expected) | {"dialogues": 14, "messages": sum(r.agent_messages for r in expected.rollouts)}
    )
    assert figures[STEP]["failed"] == 2
    assert figures[STEP + 1]["dialogues"] == 0


def test_messages_in_logged_contexts_are_those_of_the_local_loop(
    tiny_model: ChatModel, colour_logs: list[Dialogue], tmp_path: Path
) -> None:
    write_dialogues(tmp_path / "agent.jsonl", colour_logs)
    source = LoggedRollouts(PartlyJudgedFamily(), colour_logs, seed=3, width=16)
    expected = source.collect(ModelSpeaker(tiny_model, "agent", width=16, max_message_tokens=5), STEP, GROUPS, SIZE)
    spec = spec_of(tiny_model, tmp_path, family="conftest:PartlyJudgedFamily", user=None, logs=tmp_path / "agent.jsonl")
    episodes = Episodes(spec, None)
    sent: list[int] = []

    async def step() -> list[Rollout | None]:
        end = episodes.format.end_of_turn
        replays = [Replay(rollout.record, end) for rollout in expected.rollouts]
        found = await asyncio.gather(
            *(episodes.hold(STEP, key // SIZE, key % SIZE, replay) for key, replay in enumerate(replays))
        )
        sent.extend(seed for replay in replays for seed in replay.seeds)
        return list(found)

    assert asyncio.run(step()) == expected.rollouts
    assert len(set(sent)) == GROUPS * SIZE, "two of a group would be the same message"
    undetermined = sum(rollout.reward is None for rollout in expected.rollouts)
    assert 0 < undetermined < GROUPS * SIZE
    figures = recorded_figures(tmp_path / "dialogues", [STEP])[STEP]
    assert figures == pytest.approx(step_figures(expected) | {"dialogues": 16, "messages": 16})
    assert figures["undetermined"] == undetermined

    async def dead(ids: list[int], seed: int) -> Sampled | Failure:
        return Failure("line went dead")

    assert asyncio.run(episodes.hold(STEP + 1, 0, 0, dead)) is None
    assert recorded_figures(tmp_path / "dialogues", [STEP + 1])[STEP + 1]["failed"] == 1
    with pytest.raises(ValueError, match="needs logs"):
        Episodes(spec_of(tiny_model, tmp_path, user=None), None)


@needs_verl
def test_the_advantage_is_the_local_loops_and_nothing_for_who_is_alone() -> None:
    from verl.trainer.ppo.core_algos import get_adv_estimator_fn

    import understudy.train.verl.advantage  # noqa: F401  # verl imports it by the environment

    rewards = [1.0, 0.0, 0.0, 0.7, 0.2, 0.2]
    names = np.array(["a", "a", "a", "alone", "same", "same"], dtype=object)
    mask = torch.tensor([[1, 0, 1]] * 5 + [[0, 0, 1]])
    given = torch.zeros(6, 3)
    given[:, 2] = torch.tensor(rewards)
    advantages, returns = get_adv_estimator_fn("understudy")(
        token_level_rewards=given, response_mask=mask, index=names, config=None
    )
    expected, _ = turn_advantages([(r,) for r in rewards[:3]], [0, 0, 0])
    assert torch.allclose(advantages[:3], torch.tensor([[float(a[0])] for a in expected]) * mask[:3])
    assert not advantages[3:].any()
    assert torch.equal(returns, advantages)


def test_a_sampler_that_takes_the_seed_samples_what_the_local_one_does(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("understudy.models.sampler.sampling_dtype", lambda: torch.float32)  # no ties by rounding
    expected = local(tiny_model, [])
    episodes = Episodes(spec_of(tiny_model, tmp_path), SharedSpeaker(ColourUser(), width=16))
    sampler = Sampler(tiny_model.model, 1)

    async def generate(ids: list[int], seed: int) -> Sampled | Failure:
        uniforms = np.random.default_rng(seed).random((1, 1, 5))
        ((sampled,),) = sampler.sample([0], [ids], uniforms, stops=[episodes.format.end_of_turn], temperature=1.0)
        sampler.release(0)
        return sampled

    for key, rollout in enumerate(expected.rollouts):
        found = asyncio.run(episodes.hold(STEP, key // SIZE, key % SIZE, generate))
        assert found is not None
        assert found.record.ids == rollout.record.ids
        assert found.record.logprobs == pytest.approx(rollout.record.logprobs, abs=1e-4)


def test_a_dialogue_that_outgrows_the_context_fails(tiny_model: ChatModel, tmp_path: Path) -> None:
    """Each message fits, and the second one no longer does."""
    said: list[int] = []

    async def longest(ids: list[int], seed: int) -> Sampled | Failure:
        said.append(len(ids))
        return Sampled([7] * 40, [-1.0] * 40, False)

    config = CONFIG.model_copy(
        update={"sampling": CONFIG.sampling.model_copy(update={"max_message_tokens": 40}), "rl": CONFIG.rl}
    )
    episodes = Episodes(spec_of(tiny_model, tmp_path, config=config), SharedSpeaker(ColourUser(), width=1))
    assert asyncio.run(episodes.hold(STEP, 0, 0, longest)) is None
    assert len(said) == 1
    assert recorded_figures(tmp_path / "dialogues", [STEP])[STEP]["failed"] == 1


@pytest.mark.parametrize("all_fail", [True, False])
def test_a_step_in_which_every_dialogue_fails_says_why(
    all_fail: bool, tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """verl ends where a step has no dialogue. Here the dialogues are held before its stand-in is started, which ends."""
    failing = [key for key in range(GROUPS * SIZE) if all_fail or key]

    def hold_a_step(policy: ChatModel, spec: LoopSpec, folder: Path, log: Path) -> list[str]:
        policy.save(spec.agent)
        episodes = Episodes(spec, SharedSpeaker(ColourUser(failing), width=16))
        (first,) = local(tiny_model, failing=[*range(1, GROUPS * SIZE)], step=0).rollouts

        async def step() -> None:
            generate = Replay(first.record, episodes.format.end_of_turn)
            for key in range(GROUPS * SIZE):
                await episodes.hold(0, key // SIZE, key % SIZE, generate)

        asyncio.run(step())
        return [sys.executable, "-c", "raise SystemExit('no materializable trajectories')"]

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(launch, "prepare", hold_a_step)
    arm = Arm(CONFIG, "conftest:OddFamily", 3, None, UserSpec(kind="population"))
    with pytest.raises(UnderstudyError) as caught:
        train_with_verl(tiny_model, arm, scratch=tmp_path)
    if all_fail:
        assert str(caught.value).startswith(
            "step 1 of training: none of 16 dialogues could be finished: line went dead"
        )
    else:
        assert "verl ended with code 1" in str(caught.value)
        assert "no materializable trajectories" in str(caught.value)


def test_the_spec_survives_its_file_and_makes_the_same_users(tmp_path: Path) -> None:
    spec = LoopSpec(
        config=CONFIG,
        family="elicit",
        seed=3,
        held_out=False,
        user=UserSpec(kind="prompted", severity=0.25),
        agent=tmp_path,
        groups=GROUPS,
        records=tmp_path,
    )
    path = tmp_path / "loop.json"
    path.write_text(spec.model_dump_json())
    read = LoopSpec.read(path)
    assert read == spec
    user = read.user.speaker(read.tasks().family, read.config)
    assert isinstance(user, PromptedSpeaker)
    assert user.severity == 0.25
    assert isinstance(UserSpec(kind="population").speaker(read.tasks().family, read.config), PopulationSpeaker)
    with pytest.raises(ValueError, match="at least one model"):
        UserSpec(kind="models").speaker(read.tasks().family, read.config)
    path.write_text("{}")
    with pytest.raises(RunError, match="is not what verl's workers read"):
        LoopSpec.read(path)


def test_the_data_set_has_a_row_for_each_task_of_each_step_and_no_goal(tiny_model: ChatModel, tmp_path: Path) -> None:
    spec = spec_of(tiny_model, tmp_path)
    rows = tasks_of(spec)
    places = [(row["extra_info"]["step"], row["extra_info"]["group"]) for row in rows]
    assert places == [(step, group) for step in range(2) for group in range(GROUPS)]
    assert [row["extra_info"]["index"] for row in rows] == list(range(8))
    goals = {spec.tasks().group(step, group, 1)[0].task.goal["colour"] for step, group in places}
    assert not any(goal in json.dumps(rows) for goal in goals)


def test_the_settings_follow_the_config(tiny_model: ChatModel, tmp_path: Path) -> None:
    on_gpus = CONFIG.model_copy(
        update={"verl": CONFIG.verl.model_copy(update={"rollout": "vllm", "nodes": 2, "gpus_per_node": 8})}
    )
    found = settings(spec_of(tiny_model, tmp_path, config=on_gpus), tmp_path, tmp_path / "log.jsonl", 96)
    assert found["data"]["train_batch_size"] == GROUPS
    assert found["algorithm"]["adv_estimator"] == GROUP_ADVANTAGE
    assert found["actor_rollout_ref"]["actor"]["ppo_mini_batch_size"] == GROUPS
    assert found["actor_rollout_ref"]["actor"]["optim"]["lr"] == 1e-3
    assert (
        found["actor_rollout_ref"]["rollout"] | {"name": "vllm", "n": SIZE, "max_model_len": 96}
        == (found["actor_rollout_ref"]["rollout"])
    )
    assert (found["trainer"]["nnodes"], found["trainer"]["n_gpus_per_node"]) == (2, 8)
    assert "num_gpus" not in found["ray_kwargs"]["ray_init"], "Ray counts real ones by itself"


def test_modules_that_were_asked_for_are_imported_beside_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpus = CONFIG.verl.model_copy(update={"rollout": "vllm"})
    monkeypatch.delenv("VERL_USE_EXTERNAL_MODULES", raising=False)
    assert environment_of(on_gpus)["VERL_USE_EXTERNAL_MODULES"] == "understudy.train.verl.advantage"
    monkeypatch.setenv("VERL_USE_EXTERNAL_MODULES", "their.platform")
    assert environment_of(on_gpus)["VERL_USE_EXTERNAL_MODULES"] == "their.platform,understudy.train.verl.advantage"


def test_what_it_does_not_have_is_refused(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ["arms=base,oracle", "rl.engine=verl"]
    with pytest.raises(ConfigError, match="arms holds multiturn-aware"):
        load_config(overrides=["rl.engine=verl", "arms=base,static,multiturn-aware"])
    with pytest.raises(ConfigError, match="the engine verl has one advantage per dialogue"):
        load_config(overrides=[*few, "rl.credit=reward-to-go"])
    with pytest.raises(ConfigError, match="does not divide"):
        load_config(overrides=[*few, "verl.tensor_parallel=3", "verl.gpus_per_node=4"])
    with pytest.raises(ConfigError, match="which is one process"):
        load_config(overrides=[*few, "verl.rollout=cpu", "verl.gpus_per_node=4"])

    arm = Arm(CONFIG, "conftest:OddFamily", 3, None, UserSpec(kind="population"))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="verl, which is not installed"):
        train_with_verl(tiny_model, arm, scratch=tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    on_gpus = load_config(overrides=[*few, "verl.rollout=sglang"])
    with pytest.raises(ModelError, match="sglang needs a GPU, and this machine has none"):
        train_with_verl(tiny_model, Arm(on_gpus, "elicit", 3, None, arm.user), scratch=tmp_path)
    assert not list(tmp_path.iterdir()), "refused before anything is written"


class Server:
    """verl's client of its rollout servers, as far as the agent loop calls it."""

    def __init__(self, rollouts: dict[int, Rollout], end: int) -> None:
        self.replays = {key: Replay(rollout.record, end) for key, rollout in rollouts.items()}
        self.asked: list[dict[str, Any]] = []

    async def generate(self, request_id: str, *, prompt_ids: list[int], sampling_params: dict[str, Any]) -> Any:
        from verl.workers.rollout.replica import TokenOutput

        self.asked.append(sampling_params)
        step, group, member = map(int, request_id.split("-"))
        assert step == STEP
        sampled = await self.replays[group * SIZE + member](prompt_ids, sampling_params["seed"])
        assert isinstance(sampled, Sampled)
        return TokenOutput(token_ids=sampled.ids, log_probs=sampled.logprobs, extra_fields={"global_steps": 7})


@needs_verl
def test_verls_own_worker_runs_the_loop_and_keeps_ids_masks_and_rewards(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hydra import compose, initialize_config_dir
    from verl.experimental.agent_loop import AgentLoopOutput, AgentLoopWorker

    from understudy.train.verl import agent_loop

    failing = [1, 6]
    here = keyed(local(tiny_model, failing).rollouts, failing)
    spec = spec_of(tiny_model, tmp_path)
    prepare(tiny_model, spec, tmp_path, tmp_path / "log.jsonl")
    user = ColourUser([STEP * GROUPS * SIZE + key for key in failing])
    monkeypatch.setattr(agent_loop, "UserPool", lambda spec: SharedSpeaker(user, width=16))
    padded: dict[int, Any] = {}

    class Worker(AgentLoopWorker):  # type: ignore[misc]
        async def _agent_loop_postprocess(
            self, output: AgentLoopOutput | list[AgentLoopOutput], validate: bool, **kwargs: Any
        ) -> Any:
            if isinstance(output, AgentLoopOutput):
                key = kwargs["extra_info"]["group"] * SIZE + kwargs["session_id"]
                padded[key] = await super()._agent_loop_postprocess(output.model_copy(), validate, **kwargs)
            return output

    async def step() -> list[Any]:
        with initialize_config_dir(version_base=None, config_dir=str(tmp_path)):
            config = compose("understudy", overrides=["hydra.searchpath=[pkg://verl.trainer.config]"])
        worker = Worker(config, server)
        trajectory = {"step": STEP + 1, "sample_index": 0, "rollout_n": 0, "validate": False}
        row = {"agent_name": "understudy", "raw_prompt": []}
        return await asyncio.gather(
            *(
                worker._run_agent_loop(
                    {"temperature": 1.0, "top_p": 1.0, "top_k": -1},
                    trajectory,
                    **row,
                    extra_info={"step": STEP, "group": key // SIZE},
                    session_id=key % SIZE,
                )
                for key in range(GROUPS * SIZE)
            )
        )

    episodes = Episodes(spec, SharedSpeaker(user, width=1))
    server = Server(here, episodes.format.end_of_turn)
    found = asyncio.run(step())
    assert {key for key, output in enumerate(found) if output == []} == set(failing)
    for key, rollout in here.items():
        output, record = found[key], rollout.record
        end = max(i for i, sampled in enumerate(record.sampled) if sampled) + 1
        assert tuple(output.prompt_ids + output.response_ids) == record.ids[:end]
        assert [0] * len(output.prompt_ids) + output.response_mask == [int(sampled) for sampled in record.sampled[:end]]
        assert output.response_mask[0] == 1, "the prompt ends where the policy begins"
        assert tuple([0.0] * len(output.prompt_ids) + output.response_logprobs) == record.logprobs[:end]
        assert (output.reward_score, output.num_turns) == (rollout.reward, rollout.agent_messages)
        assert output.extra_fields["max_global_steps"] == 7
        # What verl itself makes of it: prompts padded on the left, responses on the right.
        row = padded[key]
        assert row.prompt_ids[0, -len(output.prompt_ids) :].tolist() == output.prompt_ids
        assert row.response_ids[0, : len(output.response_ids)].tolist() == output.response_ids
        assert row.response_mask[0].nonzero()[:, 0].tolist() == [i for i, s in enumerate(output.response_mask) if s]
    assert all(params["stop_token_ids"] == [episodes.format.end_of_turn] for params in server.asked)
    assert all(params["max_tokens"] == 5 for params in server.asked)


@needs_verl
@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.usefixtures("verl_processes")
def test_a_step_of_verls_trainer_is_that_of_the_local_loop_and_a_run_goes_on(
    rounded_model: ChatModel, tmp_path: Path
) -> None:
    """verl's own entry point, Ray, trainer and checkpoints, on CPU."""
    family, user, base = load_family("conftest:OddFamily"), UserSpec(kind="prompted"), rounded_model

    # A first step is free of the penalty, as the policy is the reference; so strong a one all but takes it back in the second.
    strong = CONFIG.rl.model_copy(update={"kl_weight": 100.0})

    def run_verl(steps: int) -> ChatModel:
        policy = ChatModel(copy.deepcopy(base.model), copy.deepcopy(base.tokenizer))
        config = CONFIG.model_copy(update={"rl": strong.model_copy(update={"steps": steps})})
        train_with_verl(policy, Arm(config, "conftest:OddFamily", 3, None, user), scratch=tmp_path / "verl")
        return policy

    (tmp_path / "verl").mkdir()

    def run_local(steps: int, kl_weight: float = 100.0) -> ChatModel:
        policy = ChatModel(copy.deepcopy(base.model), base.tokenizer)
        scratch = tmp_path / f"local{steps}-{kl_weight:g}"
        scratch.mkdir()
        train(
            policy,
            ModelSpeaker(policy, "agent", width=16, max_message_tokens=5),
            ConversationRollouts(family, user.speaker(family, CONFIG), seed=3, width=16),
            strong.model_copy(update={"steps": steps, "kl_weight": kl_weight}),
            scratch=scratch,
        )
        return policy

    other, policy = run_verl(1), run_local(1)
    mine, theirs = (MetricsLog(tmp_path / name / "metrics.jsonl").read() for name in ("local1-100", "verl"))
    for key in ("reward", "reward_std", "tokens", "turns", "walked_out", "failed", "groups"):
        assert theirs[0][key] == pytest.approx(mine[0][key]), key
    assert mine[0]["kept_groups"] > 0, "nothing was learned, so nothing is compared"
    before, after, elsewhere = (list(m.model.parameters()) for m in (base, policy, other))
    moved = [(a - b).abs().max().item() for a, b in zip(after, before, strict=True)]
    apart = [(a - b).abs().mean().item() for a, b in zip(after, elsewhere, strict=True)]
    assert max(moved) == pytest.approx(5e-4, rel=0.01), "AdamW's first step, at half the rate in the warm-up"
    # Gradients differ by bf16 rounding, which turns the sign of those near 0.
    assert max(apart) < 0.15 * 5e-4

    second, held = run_verl(2), run_local(2)
    free = run_local(2, kl_weight=0.0)
    verls, locals_, unheld = (
        torch.cat(
            [(b - a).detach().flatten() for a, b in zip(one.model.parameters(), two.model.parameters(), strict=True)]
        )
        for one, two in ((other, second), (policy, held), (policy, free))
    )
    assert float(torch.nn.functional.cosine_similarity(verls, unheld, dim=0)) < 0.5
    assert float(torch.nn.functional.cosine_similarity(verls, locals_, dim=0)) > 0.7
    rows = MetricsLog(tmp_path / "verl" / "metrics.jsonl").read()
    assert [row["step"] for row in rows] == [0, 1]
    assert rows[0] == theirs[0], "the first step was not taken again"
    in_local = MetricsLog(tmp_path / "local2-100" / "metrics.jsonl").read()[1]["loss"]
    assert rows[1]["loss"] == pytest.approx(in_local, rel=0.3), "the penalty is in it, and is most of it"


@needs_verl
@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.usefixtures("verl_processes")
def test_verls_trainer_takes_a_step_on_logged_contexts(
    tiny_model: ChatModel, colour_logs: list[Dialogue], tmp_path: Path
) -> None:
    write_dialogues(tmp_path / "agent.jsonl", colour_logs)
    policy = ChatModel(copy.deepcopy(tiny_model.model), copy.deepcopy(tiny_model.tokenizer))
    config = CONFIG.model_copy(update={"rl": CONFIG.rl.model_copy(update={"steps": 1})})
    arm = Arm(config, "conftest:PartlyJudgedFamily", 3, None, None, tmp_path / "agent.jsonl")
    (tmp_path / "verl").mkdir()
    budget = train_with_verl(policy, arm, scratch=tmp_path / "verl")
    (row,) = MetricsLog(tmp_path / "verl" / "metrics.jsonl").read()
    assert (budget.messages, row["dialogues"], row["failed"]) == (16, 16, 0)
    assert row["undetermined"] > 0, "groups that lose members are what it is about"
    assert row["reward_std"] > 0
    moved = [
        (a - b).abs().max().item()
        for a, b in zip(policy.model.parameters(), tiny_model.model.parameters(), strict=True)
    ]
    assert max(moved) == pytest.approx(5e-4, rel=0.01), "AdamW's first step, at half the rate in the warm-up"


@needs_verl
@pytest.mark.slow
@pytest.mark.enable_socket
@pytest.mark.usefixtures("verl_processes")
def test_verls_trainer_trains_an_adapter_alone(rounded_model: ChatModel, tmp_path: Path) -> None:
    family, user, base = load_family("conftest:OddFamily"), UserSpec(kind="prompted"), rounded_model
    base.save(tmp_path / "base")
    adapter = ModelConfig(base=str(tmp_path / "base"), max_length=96, lora_rank=4)
    # Rates that suit a pretrained model, as others are refused.
    sft = CONFIG.sft.model_copy(update={"learning_rate": 1e-4})
    slow = CONFIG.rl.model_copy(update={"learning_rate": 1e-4, "kl_weight": 0.0})
    config = CONFIG.model_copy(update={"model": adapter, "sft": sft, "rl": slow})

    def weights(model: ChatModel) -> dict[str, torch.Tensor]:
        return {name: p.detach().clone() for name, p in model.model.named_parameters()}

    def start() -> ChatModel:
        """With an adapter that changes much: a server that was given the weights without it would write other words."""
        policy = start_model([], adapter, seed=0)
        generator = torch.Generator().manual_seed(0)
        for name, parameter in policy.model.named_parameters():
            if "lora_B" in name:
                parameter.data.normal_(0, 0.1, generator=generator)
        return policy

    def run_local(policy: ChatModel, name: str) -> dict[str, float]:
        (tmp_path / name).mkdir()
        train(
            policy,
            ModelSpeaker(policy, "agent", width=16, max_message_tokens=5),
            ConversationRollouts(family, user.speaker(family, CONFIG), seed=3, width=16),
            config.rl.model_copy(update={"steps": 1}),
            scratch=tmp_path / name,
        )
        return MetricsLog(tmp_path / name / "metrics.jsonl").read()[0]

    (tmp_path / "verl").mkdir()
    local, before = start(), weights(start())
    mine, without = run_local(local, "local"), run_local(base, "without")
    policy, arm = start(), Arm(config, "conftest:OddFamily", 3, None, user)
    train_with_verl(policy, arm, scratch=tmp_path / "verl")
    theirs = MetricsLog(tmp_path / "verl" / "metrics.jsonl").read()[0]
    kept = load_file(tmp_path / "verl" / "verl" / "global_step_1" / "actor" / "huggingface" / "model.safetensors")
    after_one_step = start()
    take_matrices(after_one_step.model, kept)
    first = weights(after_one_step)
    # Some tokens differ, as the server's weights are the sum in bf16.
    assert theirs["reward"] == pytest.approx(mine["reward"], abs=0.07)
    assert abs(without["reward"] - mine["reward"]) > 0.15
    assert mine["kept_groups"] > 0, "nothing was learned, so nothing is compared"
    here, alike = weights(local), []
    for name, value in first.items():
        if "lora" in name:
            assert (value - before[name]).abs().max() == pytest.approx(5e-5, rel=0.01), name
            alike.append(((value - before[name]) * (here[name] - before[name]) > 0).flatten())
    frozen = load_file(tmp_path / "verl" / "verl" / "base" / "model.safetensors")
    named = {name.removeprefix("base_model.model.").replace(".base_layer", ""): value for name, value in kept.items()}
    shared = frozen.keys() & named.keys()
    assert len(shared) == len(frozen), (
        "verl trains the adapter and nothing else, and takes the sum back after it was served"
    )
    assert all(torch.equal(named[name].float(), frozen[name].float()) for name in shared)
    assert torch.cat(alike).float().mean() > 0.8, "AdamW's first step is the gradient's sign"
    second = weights(policy)
    assert all(not torch.equal(value, first[name]) for name, value in second.items() if "lora" in name)
    policy.save(tmp_path / "trained")
    loaded = weights(load_chat_model(tmp_path / "trained"))
    assert all(torch.equal(value, loaded[name].to(value)) for name, value in second.items() if "lora" in name)


def test_an_arm_of_a_comparison_asks_verl_for_what_the_local_loop_collects(
    tiny_model: ChatModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Arm] = []
    collected: list[Any] = []

    def verl(policy: ChatModel, arm: Arm, *, scratch: Path, on_step: Any) -> Budget:
        asked.append(arm)
        (scratch / "metrics.jsonl").touch()
        return Budget()

    def local_loop(
        policy: ChatModel, speaker: object, source: Any, config: object, *, scratch: Path, **_: Any
    ) -> Budget:
        collected.append(source)
        (scratch / "metrics.jsonl").touch()
        return Budget()

    monkeypatch.setattr(launch, "train_with_verl", verl)
    monkeypatch.setattr(training, "train", local_loop)
    tiny_model.save(tmp_path / "stages" / "elicit" / "seed0" / "base" / "model")
    tiny_model.save(tmp_path / "stages" / "elicit" / "seed0" / "user-aligned" / "model")
    logged = known_logs(known_family("elicit", None), 100, 10, seed=0)
    (tmp_path / "stages" / "elicit" / "seed0" / "logs").mkdir()
    write_dialogues(tmp_path / "stages" / "elicit" / "seed0" / "logs" / "agent.jsonl", logged)
    for engine in ("local", "verl"):
        config = CONFIG.model_copy(update={"rl": CONFIG.rl.model_copy(update={"engine": engine, "kl_weight": 0.05})})
        cell = Cell(config, "elicit", 0)
        needs = cell.stage("base"), cell.stage("user-aligned"), cell.stage("logs")
        for arm, user in (
            ("oracle", "population"),
            ("interactive", "prompted"),
            ("calibrated", "aligned"),
            ("static", None),
        ):
            output = tmp_path / f"{engine}-{user}"
            output.mkdir()
            stage = Stage(cell.stage(output.name), needs, "", {}, "")
            context = StageContext(stage, tmp_path, output, lambda *_: None)
            training.train_arm(context, cell, arm=arm, user=user, severity=0.5)
            assert (output / "model").is_dir()
            assert (output / "budget.json").is_file()
    of_static, static = asked.pop(), collected.pop()
    assert of_static.user is None
    assert isinstance(static, LoggedRollouts)
    of_loop = LoggedRollouts(load_family("elicit"), read_dialogues(of_static.logs), seed=of_static.seed, width=1)
    assert of_loop.asked(2, 3) == static.asked(2, 3)
    for of_verl, source in zip(asked, collected, strict=True):
        tasks = TrainingTasks(load_family(of_verl.family, of_verl.config.data), of_verl.seed, of_verl.held_out)
        assert tasks.group(2, 1, 3) == source.tasks.group(2, 1, 3)
        assert type(of_verl.user.speaker(tasks.family, of_verl.config)) is type(source.user)
    assert [arm.user.severity for arm in asked] == [1.0, 0.5, 1.0]
    assert [arm.config.rl.kl_weight for arm in (*asked, of_static)] == [0.0, 0.05, 0.05, 0.05]
    assert asked[2].user.models == (tmp_path / "stages" / "elicit" / "seed0" / "user-aligned" / "model",)
