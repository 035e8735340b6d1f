"""What questions are worth on `edit`: programmes that ask for so many things first, and then draft, with the real users.

    python bench/edit_questions.py [--dialogues 1000] [--user RUN/stages/edit/seed0/user-aligned]

A programme asks for things that it was not told, then drafts in every message: what it was told, and guesses for the rest.
Beside them the script that writes the logs. With `--user` the same programmes meet an aligned user (its energy left out): one
with which questions are worth less than with people cannot teach an agent to ask, whatever its likelihood. Rewards are
BLEU; 95% bootstrap intervals over the dialogues.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from understudy.config.stages import SamplingConfig
from understudy.converse import converse
from understudy.evaluate.judge import appointments
from understudy.models.load import load_chat_model
from understudy.models.speaker import model_speaker
from understudy.runs import stream
from understudy.speaker import Failure, Request, Speaker
from understudy.stats import bootstrap_interval
from understudy.tasks.edit.family import Edit
from understudy.tasks.edit.reading import DRAFT, read_user
from understudy.tasks.edit.script import SLOT_QUESTIONS
from understudy.tasks.edit.words import FORMAL, REGISTER, SLOTS, VALUES, render
from understudy.types import Message, TokenRecord
from understudy.users.population import PopulationSpeaker
from understudy.users.script import ScriptSpeaker


class Drafting:
    """Asks `questions` times, then drafts."""

    def __init__(self, questions: int) -> None:
        self.questions = questions

    def reply(self, requests: Sequence[Request]) -> list[Message | Failure]:
        return [self._message(request) for request in requests]

    def finish(self, key: int) -> TokenRecord | None:
        return None

    def _message(self, request: Request) -> Message:
        said = sum(message.role == "agent" for message in request.messages)
        told = dict(pair for m in request.messages if m.role == "user" for pair in read_user(m.text).values)
        rng = stream(request.seed, "agent", str(said))
        unclear = [slot for slot in SLOT_QUESTIONS if slot not in told]
        if said < self.questions and unclear:
            return Message("agent", SLOT_QUESTIONS[unclear[int(rng.integers(len(unclear)))]][0])
        values = [told.get(slot) or str(rng.choice(VALUES[slot])) for slot in SLOTS]
        return Message("agent", f"{DRAFT} {render(values, told.get(REGISTER, FORMAL))}")


def show(label: str, agent: Speaker, user: Speaker, dialogues: int) -> None:
    family = Edit()
    meetings = appointments(family, dialogues, 0, "questions", held_out=True)
    held = converse(family, meetings, agent, user, width=256).dialogues
    rewards = bootstrap_interval(np.array([d.outcome.reward for d in held]), stream(0, "reward"))
    endings = ", ".join(
        f"{name} {count / len(held):.0%}" for name, count in Counter(d.outcome.ending for d in held).items()
    )
    print(f"{label}: {rewards.mean:.1f} [{rewards.low:.1f}, {rewards.high:.1f}]; {endings}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dialogues", type=int, default=1000)
    parser.add_argument("--user", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    user: Speaker = PopulationSpeaker(Edit())
    if given.user:
        user = model_speaker(load_chat_model(given.user / "model"), "user", SamplingConfig())
    for questions in range(5):
        show(f"{questions} questions, then drafts", Drafting(questions), user, given.dialogues)
    show("the script of the logs", ScriptSpeaker(Edit()), user, given.dialogues)


if __name__ == "__main__":
    main()
