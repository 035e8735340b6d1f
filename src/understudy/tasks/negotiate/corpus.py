"""The corpus as dialogues of `negotiate`, and its contexts as scenarios."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from understudy.errors import LogError
from understudy.logs.deal_or_no_deal import Negotiation, Summary, read_negotiations, read_scenarios
from understudy.tasks.base import Corpus
from understudy.tasks.negotiate import closing
from understudy.tasks.negotiate.interface import as_shown
from understudy.tasks.negotiate.items import Counts, Scenario, make_task, public, selection_text
from understudy.types import Dialogue, Message, Role

NAME = "negotiate"
MAX_AGENT_TURNS = 10
TRAIN, VALIDATION, SCENARIOS = "train.txt", "val.txt", "selfplay_scenarios.txt"
SUBFOLDER = "deal_or_no_deal"


def load_corpus(path: Path, seed: int) -> Corpus:
    """Both parts as dialogues: each training negotiation twice, with either of the two people as the `agent`; each of the
    validation part once, by a seeded coin.

    Every negotiation is a person of its own, whom its two dialogues share: the corpus does not say who wrote more than one.
    Left out are negotiations that were disconnected (what the sides chose is unknown), and dialogues in which the agent would
    have had no turn left.

    Args:
        path: folder with the authors' `train.txt`, `val.txt` and `selfplay_scenarios.txt`, or its parent.
        seed: from 0, of the coins.

    Raises:
        LogError: if the folder or a file is missing, or a line does not have the format.
    """
    folder = corpus_folder(path)
    train, _ = read_negotiations(folder / TRAIN)
    validation, _ = read_negotiations(folder / VALIDATION)
    coin = np.random.default_rng((seed, 1))
    sides = {negotiation.line: bool(coin.random() < 0.5) for negotiation in validation}
    both = [(negotiation, agent_first) for negotiation in train for agent_first in (True, False)]
    return Corpus(as_dialogues(both, "train"), as_dialogues([(n, sides[n.line]) for n in validation], "val"))


def summaries(path: Path) -> dict[str, Summary]:
    """What the two files held: `train` and `validation`."""
    folder = corpus_folder(path)
    return {"train": read_negotiations(folder / TRAIN)[1], "validation": read_negotiations(folder / VALIDATION)[1]}


def corpus_folder(path: Path) -> Path:
    """The folder that holds the three files: `path` itself or `path/deal_or_no_deal`.

    Raises:
        LogError: naming what is expected, if there is none or a file is missing.
    """
    folder = path / SUBFOLDER if (path / SUBFOLDER).is_dir() else path
    missing = [name for name in (TRAIN, VALIDATION, SCENARIOS) if not (folder / name).is_file()]
    if missing:
        what = f"{' and '.join(missing)} missing" if folder.is_dir() else "is no folder"
        raise LogError(
            what,
            where=str(folder),
            fix=f"give the folder of the Deal or No Deal corpus, with {TRAIN}, {VALIDATION} and {SCENARIOS} "
            "as their authors publish them (github.com/facebookresearch/end-to-end-negotiator, src/data/negotiate)",
        )
    return folder


def contexts(negotiations: Iterable[Negotiation]) -> list[Scenario]:
    """What was on the table in each negotiation, in order, the first speaker's side first."""
    return [Scenario(n.counts, n.first_values, n.second_values) for n in negotiations]


def load_scenarios(path: Path) -> tuple[list[Scenario], list[Scenario]]:
    """Scenarios to train with, and those of the validation part to judge with.

    The first are `selfplay_scenarios.txt` without any pair of contexts that the validation part has.
    """
    folder = corpus_folder(path)
    held_out = contexts(read_negotiations(folder / VALIDATION)[0])
    kept_apart = {scenario.sides for scenario in held_out}
    everything = [Scenario(*scenario) for scenario in read_scenarios(folder / SCENARIOS)]
    return [scenario for scenario in everything if scenario.sides not in kept_apart], held_out


def as_dialogues(negotiations: Iterable[tuple[Negotiation, bool]], part: str) -> list[Dialogue]:
    """Dialogues with the closing as this family writes it; see `load_corpus` for what is left out.

    Args:
        negotiations: each with whether the agent is the one who speaks first.
    """
    dialogues = []
    for negotiation, agent_first in negotiations:
        if negotiation.ending != "disconnect":
            dialogue = _dialogue(negotiation, f"{part}-{negotiation.line}", agent_first)
            if dialogue is not None:
                dialogues.append(dialogue)
    return dialogues


def _dialogue(negotiation: Negotiation, name: str, agent_first: bool) -> Dialogue | None:
    order: tuple[Role, Role] = ("agent", "user") if agent_first else ("user", "agent")
    # Only agreed divisions are known; of the others it is known that both went away with nothing.
    takes: tuple[Counts | None, Counts | None] = (negotiation.first_takes, negotiation.second_takes)
    said = len(negotiation.texts)
    texts = [*negotiation.texts, selection_text(takes[said % 2]), selection_text(takes[(said + 1) % 2])]
    spoken = (Message(order[i % 2], text) for i, text in enumerate(texts))
    messages = as_shown(negotiation.counts, [replace(message, public=public(message)) for message in spoken])
    # With the agent's last allowed message the dialogue is over; the user could not have answered it.
    if sum(m.role == "agent" for m in messages[:-1]) >= MAX_AGENT_TURNS:
        return None
    values = (negotiation.first_values, negotiation.second_values)
    mine, theirs = values if agent_first else values[::-1]
    scenario = Scenario(negotiation.counts, mine, theirs)
    task = make_task(NAME, name, scenario, opener=order[0])
    ending = closing.ending(scenario, messages)
    assert ending is not None
    return Dialogue(task, f"person-{name}", messages, closing.outcome(scenario, messages, ending))
