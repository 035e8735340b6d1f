"""Starts verl's trainer on one arm, and reads back what it has done."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoModelForCausalLM

from understudy.all_failed import all_failed
from understudy.config import CompareConfig, on_hub
from understudy.errors import ModelError, RunError
from understudy.models.adapters import MATRICES, is_adapted, take_matrices
from understudy.models.chat_model import ChatModel
from understudy.runs import MetricsLog
from understudy.train.figures import Budget, OnStep
from understudy.train.loop import groups_per_step
from understudy.train.rollouts import ConversationRollouts, LoggedRollouts
from understudy.train.verl.episodes import recorded_failures, recorded_figures
from understudy.train.verl.settings import environment_of, prepare
from understudy.train.verl.spec import LoopSpec
from understudy.users.spec import UserSpec

_POLL_SECONDS = 1.0
_LOG, _RECORDS = "steps.jsonl", "dialogues"
"""In the folder of an attempt, which is made anew after each kill: verl's figures of each step, and ours of each dialogue."""
_LAST_LINES = 30
"""Lines of verl's output that an error quotes."""


@dataclass(frozen=True)
class Arm:
    """Where an arm's contexts come from: see `LoopSpec`, which is made from it."""

    config: CompareConfig
    family: str
    seed: int
    held_out: bool | None
    user: UserSpec | None
    logs: Path | None = None


def train_with_verl(
    policy: ChatModel,
    arm: Arm,
    *,
    scratch: Path,
    on_step: OnStep | None = None,
) -> Budget:
    """As `understudy.train.loop.train`, by verl's trainer in processes of their own; the policy has its weights thereafter.

    Ray is started on this machine, or joined where `RAY_ADDRESS` names a cluster, whose machines must all see `scratch`.

    Raises:
        ModelError: if verl is not installed, or this machine has no GPU where the rollout server needs one.
        RunError: if verl fails; its output is in `scratch/verl/output.log`.
        UnderstudyError: if every dialogue of a step failed.
    """
    _check(arm.config)
    folder = scratch.absolute() / "verl"
    folder.mkdir(parents=True, exist_ok=True)
    metrics = MetricsLog(scratch / "metrics.jsonl")
    start = _last_step(folder)
    metrics.truncate_from(start)
    source = LoggedRollouts if arm.user is None else ConversationRollouts
    groups = groups_per_step(arm.config.rl, source.messages_per_rollout)
    _catch_up(metrics, folder, start, groups)
    if start < arm.config.rl.steps:
        attempt = folder / f"from-{start}"
        shutil.rmtree(attempt, ignore_errors=True)
        attempt.mkdir()
        spec = LoopSpec(
            config=_absolute(arm.config),
            family=arm.family,
            seed=arm.seed,
            held_out=arm.held_out,
            user=arm.user and arm.user.absolute(),
            logs=arm.logs and arm.logs.absolute(),
            agent=folder / "base",
            groups=groups,
            records=attempt / _RECORDS,
        )
        command = prepare(policy, spec, folder, attempt / _LOG)
        step = start
        try:
            for figures in _run(command, environment_of(arm.config.verl), folder / "output.log", attempt):
                metrics.append({"groups": groups} | figures)
                step = int(figures["step"]) + 1
                if on_step:
                    on_step(step - 1, figures)
        except RunError as error:
            # verl has no step without a dialogue: it ends there, in words that say nothing of why there is none.
            if failures := recorded_failures(attempt / _RECORDS, step, spec.rows):
                raise all_failed(failures, f"step {step + 1} of training") from error
            raise
    _load_trained(policy, folder / f"global_step_{arm.config.rl.steps}" / "actor" / "huggingface")
    return Budget.of(metrics)


def _check(config: CompareConfig) -> None:
    if importlib.util.find_spec("verl") is None:
        raise ModelError(
            "the engine verl needs verl, which is not installed",
            fix="pip install -e '.[verl]' in an environment of its own (docs/engines.md), or leave rl.engine at local",
        )
    if config.verl.rollout != "cpu" and not torch.cuda.is_available() and not os.environ.get("RAY_ADDRESS"):
        raise ModelError(
            f"verl's rollout server {config.verl.rollout} needs a GPU, and this machine has none",
            fix="join a cluster with RAY_ADDRESS, set verl.rollout to cpu for a trial, or leave rl.engine at local",
        )


def _last_step(folder: Path) -> int:
    """The step that verl will go on from: it writes this file once a checkpoint is whole."""
    latest = folder / "latest_checkpointed_iteration.txt"
    return int(latest.read_text()) if latest.is_file() else 0


def _absolute(config: CompareConfig) -> CompareConfig:
    """With paths that mean the same wherever a worker is started."""
    prompt, data, people = config.prompted.prompt, config.data, config.logs.path
    logs = config.logs.model_copy(update={"path": people and people.absolute()})
    prompted = config.prompted.model_copy(update={"prompt": prompt and prompt.absolute()})
    if data is not None and not on_hub(data):
        data = data.absolute()
    return config.model_copy(update={"data": data, "logs": logs, "prompted": prompted})


def _catch_up(metrics: MetricsLog, folder: Path, start: int, groups: int) -> None:
    """Append what earlier attempts finished and this process, or the one before it, was killed before it wrote down."""
    known = {row["step"] for row in metrics.read()}
    for attempt in sorted(folder.glob("from-*"), key=lambda path: int(path.name.partition("-")[2])):
        for figures in _finished(attempt, skip=0):
            if figures["step"] < start and figures["step"] not in known:
                metrics.append({"groups": groups} | figures)
                known.add(figures["step"])


def _run(command: list[str], environment: dict[str, str], output: Path, attempt: Path) -> Iterator[dict[str, float]]:
    """Run verl to its end; the figures of each step as it is finished.

    Raises:
        RunError: if it fails.
    """
    seen = 0
    with output.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=os.environ | environment)
        try:
            ended = False
            while not ended:
                ended = process.poll() is not None
                for figures in _finished(attempt, skip=seen):
                    seen += 1
                    yield figures
                if not ended:
                    time.sleep(_POLL_SECONDS)
        finally:
            process.terminate()
            process.wait()
    if process.returncode:
        last = output.read_text(errors="replace").splitlines()[-_LAST_LINES:]
        raise RunError(
            f"verl ended with code {process.returncode}:\n" + "\n".join(last),
            where=str(output),
            fix="mend what it names, and --resume",
        )


def _finished(attempt: Path, *, skip: int) -> list[dict[str, float]]:
    """The figures of the steps that an attempt has finished, without the first `skip`: verl's under our names, and ours."""
    log = attempt / _LOG
    lines = log.read_bytes().split(b"\n")[skip:-1] if log.exists() else []
    rows = {row["step"] - 1: row["data"] for row in map(json.loads, lines)}
    recorded = recorded_figures(attempt / _RECORDS, rows) if rows else {}
    return [
        recorded[step]
        | {
            "step": step,
            "loss": row["actor/pg_loss"] + row.get("actor/kl_coef", 0.0) * row.get("actor/kl_loss", 0.0),
            "grad_norm": row["actor/grad_norm"],
            "seconds": row["timing_s/step"],
            "sampling_seconds": row["timing_s/gen"],
        }
        for step, row in rows.items()
    ]


def _load_trained(policy: ChatModel, folder: Path) -> None:
    """Take over the weights of verl's last checkpoint.

    Raises:
        RunError: if they are not there, or are another model's.
    """
    try:
        if is_adapted(policy.model):
            take_matrices(policy.model, _trained_matrices(folder))
        else:
            found = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
            policy.model.load_state_dict(found.state_dict())
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RunError(f"does not hold the trained policy: {error}", where=str(folder), fix="--resume") from error


def _trained_matrices(folder: Path) -> dict[str, torch.Tensor]:
    """An adapter's, out of files that hold all weights of its model as well."""
    found: dict[str, torch.Tensor] = {}
    for part in sorted(folder.glob("*.safetensors")):
        with safe_open(part, "pt") as file:
            found |= {name: file.get_tensor(name) for name in file.keys() if MATRICES in name}  # noqa: SIM118  # no mapping
    return found
