"""Train an agent against a user model of one's own: what `understudy compare` does in one arm, in a page of Python.

    PYTHONPATH=. python examples/train_with_own_user.py examples.own_task:Meeting AGENT USER OUT

AGENT and USER are model folders (USER as `understudy align` writes it, `users/mine/model`) or names on the Hugging Face
hub; the task gives the goals and the reward (examples/own_task.py). OUT gets `model/` and `metrics.jsonl`; a run that was
stopped goes on.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from understudy.config import RLConfig, SamplingConfig
from understudy.converse import Appointment, converse
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.runs import stream
from understudy.stats import bootstrap_interval
from understudy.tasks import load_family
from understudy.tasks.heldout import draw_task
from understudy.train.loop import train
from understudy.train.rollouts import ConversationRollouts
from understudy.users.load import load_user


def train_with_user(
    task: str,
    agent: Path | str,
    user: Path | str,
    out: Path,
    *,
    rl: RLConfig,
    sampling: SamplingConfig,
    dialogues: int,
) -> None:
    """Train, save, and say what the agent earns with this user on goals that training did not have.

    With this user: how it will do with people is what `understudy forecast` and `understudy shift` are for.
    """
    family, policy = load_family(task), load_chat_model(agent)
    speaker = model_speaker(policy, "agent", sampling)
    simulated = load_user(user, sampling, candidates=4)
    source = ConversationRollouts(family, simulated, seed=0, width=sampling.width, held_out=False)
    out.mkdir(parents=True, exist_ok=True)
    train(policy, speaker, source, rl, scratch=out, on_step=lambda step, found: print(step, f"{found['reward']:.3f}"))
    policy.save(out / "model")

    speaker.sampler.load_weights(policy.model)
    meetings = [
        Appointment(key, draw_task(family, stream(1, "task", str(key)), f"{key}", held_out=True), f"p{key}", seed=key)
        for key in range(dialogues)
    ]
    held = converse(family, meetings, speaker, simulated, width=sampling.width)
    if not held.dialogues:
        sys.exit(f"no dialogue could be finished: {held.failures[0].reason}")
    rewards = np.array([dialogue.outcome.reward for dialogue in held.dialogues])
    found = bootstrap_interval(rewards, np.random.default_rng(0))
    print(f"{family.reward_name} with this user: {found.mean:.3f} [{found.low:.3f}, {found.high:.3f}]")
    print(f"{found.n} dialogues, {len(held.failures)} more could not be finished")


if __name__ == "__main__":
    task, agent, user, out = sys.argv[1:]
    train_with_user(task, agent, user, Path(out), rl=RLConfig(), sampling=SamplingConfig(width=256), dialogues=500)
