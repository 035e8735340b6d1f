"""A run folder with made-up results, written by the classes that the pipeline writes with."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from understudy.realism.coherence import CoherenceRow
from understudy.results import (
    ArmResult,
    Cost,
    Figure,
    HeldOutPerplexity,
    Interaction,
    Interactivity,
    InteractivityResult,
    Line,
    Score,
    ShiftResult,
    Transcript,
    TranscriptColumn,
    TranscriptsResult,
    UsersResult,
)
from understudy.runs import MetricsLog, write_json
from understudy.shift.likelihood import TurnShift
from understudy.shift.two_sample import TwoSample

PEOPLE, REFEREE, PROGRAMME = "real users (population)", "referee (models of people)", "the task's programme"
ALIGNED, UNSEEN, STAND_IN = "aligned user", "unseen aligned user", "prompted stand-in (severity 1)"
TRAINED_WITH = {"interactive": STAND_IN, "calibrated": ALIGNED, "oracle": PEOPLE}
TUNED = {"base": 0.40, "control": 0.42, "static": 0.36, "interactive": 0.15, "calibrated": 0.61, "oracle": 0.70}
PROMISED = {"static": 0.55, "interactive": 0.98, "calibrated": 0.52, "oracle": 0.66}
STEPS = 60


def score(reward: float, *, scale: float = 1.0, n: int = 1000, **more: Any) -> Score:
    half = 0.03 * scale
    return Score(
        temperature=0.5, reward=reward, low=reward - half, high=reward + half, n=n, turns=4.2,
        walked_out_share=0.22, endings={"final": 780, "left": 220}, **more,
    )  # fmt: skip


def interaction(tokens: float) -> Interaction:
    """4.2 turns of a dialogue, and these tokens; intervals reach 5% to both sides."""
    turns, words, tokens_ = (Figure(mean=m, low=0.95 * m, high=1.05 * m) for m in (4.2, tokens / 2, tokens))
    return Interaction(turns=turns, words=words, tokens=tokens_)


def write_interactivity(run: Path, family: str, seed: int, scores: Mapping[str, float]) -> None:
    """Judged on 50 dialogues; a score below 0 says that the judge gave none that could be read."""
    arms = {
        arm: Interactivity(score=None, n=0, missing=50)
        if mean < 0
        else Interactivity(score=Figure(mean=mean, low=mean - 0.1, high=mean + 0.1), n=48, missing=2)
        for arm, mean in scores.items()
    }
    result = InteractivityResult(family=family, seed=seed, judge="some-llm", arms=arms)
    write_result(run, f"{family}/seed{seed}/interactivity", result)


def arm_result(family: str, seed: int, arm: str, tuned: float, *, scale: float = 1.0, **more: Any) -> ArmResult:
    """`tuned` and everything else is multiplied by `scale`; T=1 lies .1 below tuned, greedy .02 above."""
    people = more.pop("judge_label", PEOPLE)
    values = {
        "training_user": TRAINED_WITH.get(arm),
        "training_reward": PROMISED[arm] * scale if arm in PROMISED else None,
        **more,
    }
    return ArmResult(
        family=family,
        seed=seed,
        arm=arm,
        decoding={
            "T=1": score((tuned - 0.1) * scale, scale=scale),
            "tuned": score(tuned * scale, scale=scale),
            "greedy": score((tuned + 0.02) * scale, scale=scale),
        },
        tuned_temperature=0.5,
        reward_with_training_user=None,
        cost=Cost(
            optimizer_steps=STEPS, sampled_agent_messages=9000, sampled_tokens=90000, cpu_seconds=321.4,
            real_dialogues={"calibrated": 4500, "oracle": 14100}.get(arm, 1500),
        ),
        agent_x_user={
            people: score(tuned * scale, scale=scale),
            ALIGNED: score((tuned + 0.03) * scale, scale=scale),
            UNSEEN: score((tuned + 0.01) * scale, scale=scale),
            STAND_IN: score((0.98 if arm == "interactive" else 0.8) * scale, scale=scale),
        },
        judge_label=people,
        reward_name="BLEU" if scale == 100 else "accuracy",
        reward_max=scale,
        **values,
    )  # fmt: skip


def write_result(run: Path, stage: str, record: Any) -> None:
    folder = run / "stages" / stage
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "result.json", record.to_json())


def write_manifest(run: Path, families: Sequence[str], seeds: Sequence[int], **config: Any) -> None:
    run.mkdir(parents=True, exist_ok=True)
    full = {
        "families": list(families), "seeds": list(seeds), "arms": list(TUNED), "rl": {"steps": STEPS},
        "logs": {"dialogues": 5000}, "judge": {"dialogues": 1000}, **config,
    }  # fmt: skip
    write_json(
        run / "manifest.json",
        {
            "format": 1, "created": "2026-11-20T10:00:00+00:00", "config": full, "seeds": list(seeds),
            "versions": {"understudy": "0.1.0", "torch": "2.13.0", "absent": None}, "git_revision": "abc123",
            "platform": "Linux x86_64", "inputs": {}, "resumed": [],
        },
    )  # fmt: skip


def write_cell(
    run: Path,
    family: str,
    seed: int,
    *,
    tuned: Mapping[str, float] = TUNED,
    scale: float = 1.0,
    judge_label: str = PEOPLE,
    said: str = "i would like a large latte",
    earlier: bool = False,
) -> None:
    """All that a finished cell writes; an earlier version did not write what its tests could have seen."""
    cell = f"{family}/seed{seed}"
    for arm, reward in tuned.items():
        result = arm_result(
            family, seed, arm, reward, scale=scale, judge_label=judge_label,
            severity=1.0 if arm == "interactive" else None,
        )  # fmt: skip
        if arm == "oracle":
            result = result.model_copy(update={"training_user": judge_label})
        write_result(run, f"{cell}/judge-{arm}", result)
        if arm in PROMISED:
            log = MetricsLog(run / "stages" / cell / arm / "metrics.jsonl")
            for step in range(STEPS):
                wave = 0.02 * math.sin(1.7 * step + seed)
                reached = 0.3 + (PROMISED[arm] - 0.3) * (1 - math.exp(-step / 12)) + wave
                log.append({"step": step, "reward": reached * scale, "entropy": 1.0})
    final = {"static": 0.8, "interactive": 1.0, "calibrated": 0.6, "oracle": 0.54, "base": 0.51, "null": 0.5}
    curves = {
        arm: [point(turn, 0.5 + (auc - 0.5) * (turn + 1) / 5 + 0.002 * seed) for turn in range(5)]
        for arm, auc in final.items()
    }
    both = source(seed, earlier=earlier)
    shift = ShiftResult(family=family, seed=seed, curves=curves, policy=both, simulator=both)
    write_result(run, f"{cell}/shift", shift)
    write_result(run, f"{cell}/users", users_result(family, seed, judge_label))
    columns = [
        TranscriptColumn(
            arm=arm, reward=0.0 if arm == "interactive" else scale, ending="left" if arm == "interactive" else "final",
            messages=[
                Line(role="user", text=said, end=False),
                Line(role="agent", text="which milk would you like ?", end=False),
                *(
                    [Line(role="user", text="", end=True)]
                    if arm == "interactive"
                    else [
                        Line(role="user", text="oat pls", end=False),
                        Line(role="agent", text="final answer : large latte , oat milk", end=True),
                    ]
                ),
            ],
        )
        for arm in tuned
    ]  # fmt: skip
    transcript = Transcript(goal="You want a large latte with oat milk.", columns=columns)
    write_result(
        run,
        f"{cell}/transcripts",
        TranscriptsResult(family=family, seed=seed, judge_label=judge_label, transcripts=[transcript, transcript]),
    )


def write_histories(run: Path, family: str, seed: int, dialogues: Mapping[str, int]) -> None:
    """What the stages that fit models on logs leave, by stage."""
    for stage, count in dialogues.items():
        folder = run / "stages" / family / f"seed{seed}" / stage
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "history.json", {"epochs": [], "parameters": 684928, "dialogues": count})


def users_result(family: str, seed: int, people: str = PEOPLE) -> UsersResult:
    rates = {people: (0, 116), ALIGNED: (6, 150), UNSEEN: (9, 140), STAND_IN: (95, 120)}
    return UsersResult(
        family=family,
        seed=seed,
        coherence={
            user: [
                CoherenceRow(
                    kind="approves a wrong draft", occasions=n, violations=k, rate=k / n, low=0.0, high=1.0
                ),
                CoherenceRow(
                    kind="comments on what is already right", occasions=2 * n, violations=k, rate=k / n / 2, low=0.0,
                    high=1.0,
                ),
            ]
            for user, (k, n) in rates.items()
        },
        style={user: {"words per message": Figure(mean=6.5, low=6.0, high=7.0)} for user in rates},
        reply_shift={ALIGNED: [TurnShift(0, 0.5, 0.45, 0.55, 300, 300), TurnShift(1, 0.3, 0.25, 0.35, 300, 150)]},
        perplexity={ALIGNED: HeldOutPerplexity(per_token=2.9, tokens=4000, bits_per_character=0.9)},
    )  # fmt: skip


def write_sweeps(run: Path, family: str, seed: int) -> None:
    """Severities 0 to .75 and users of 100 to 1,000 logs."""
    for severity, tuned, promised in ((0.0, 0.66, 0.6), (0.25, 0.6, 0.7), (0.5, 0.5, 0.82), (0.75, 0.33, 0.91)):
        result = arm_result(
            family, seed, "interactive", tuned, severity=severity, training_reward=promised,
            training_user=f"prompted stand-in (severity {severity:g})",
        )  # fmt: skip
        write_result(run, f"{family}/seed{seed}/judge-interactive-severity-{severity:g}", result)
    for size, tuned in ((100, 0.45), (300, 0.52), (1000, 0.58)):
        result = arm_result(family, seed, "calibrated", tuned, log_size=size)
        cost = result.cost.model_copy(update={"real_dialogues": 1500 + size})
        write_result(run, f"{family}/seed{seed}/judge-calibrated-logs-{size}", result.model_copy(update={"cost": cost}))


def point(turn: int, auc: float, tv_low: float = 0.0, detectable: float | None = None) -> TwoSample:
    return TwoSample(turn, auc, auc - 0.03, auc + 0.03, 1000, 1000, 900, 900, tv_low, tv_low, None, detectable)


def source(seed: int, *, earlier: bool) -> dict[str, list[TwoSample]]:
    """One source of the shift, of two arms: base is not told, calibrated from turn 2 on, and at turn 1 on even seeds."""
    seen = [None if earlier else 0.12 + 0.02 * turn for turn in range(5)]
    shown = [0.0, 0.0 if seed % 2 else 0.05, 0.2, 0.3, 0.4]
    return {
        "base": [point(turn, 0.51, 0.0, seen[turn]) for turn in range(5)],
        "calibrated": [point(turn, 0.5 + shown[turn], shown[turn], seen[turn]) for turn in range(5)],
    }
