"""Teaches a user made from scratch to compare what it hears with what it wants.

A downloaded model can compare; a tiny one that the likelihood of a few thousand dialogues has taught approves most wrong
drafts, since few replies show what makes a draft wrong (BENCHMARKS.md). Here each heard word has its own yes or no, and
before each reply stands how much the last message lacks, adds and repeats, and how long this has been going on. Words are
told apart as tokens; none has a meaning.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.nn.utils.rnn import pad_sequence

from understudy.models.chat import ChatFormat
from understudy.types import Dialogue

ABSENT, PRESENT = 1, 2
_MANY = 8
_COUNT_WEIGHT = 0.1


class Verdict(NamedTuple):
    """What a comparison of the last message with the goal and with what was said gives, told right before the reply.

    Attributes:
        position: of the last token before the reply's own words.
        lacking: different tokens of the goal that the last message lacks.
        added: different tokens of the last message that the goal does not have.
        repeated: different tokens of the last message that the other side had said before.
        spoken: messages that this side has written so far.
    """

    position: int
    lacking: int
    added: int
    repeated: int
    spoken: int

    @classmethod
    def of(cls, position: int, goal: Set[int], heard: Sequence[Sequence[int]], spoken: int) -> Verdict:
        """From the goal's tokens, those of each of the other side's messages, and the number of own messages."""
        last = set(heard[-1])
        before = {token for message in heard[:-1] for token in message}
        return cls(position, len(goal - last), len(last - goal), len(last & before), spoken)

    @property
    def counts(self) -> tuple[int, ...]:
        """All that is to be told here."""
        return self[1:]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One token sequence with all that comparing tells in it.

    Attributes:
        marks: for each token 0 unless heard from the other side, else whether the goal has it: `ABSENT` or `PRESENT`.
        verdicts: one for each reply to a message of the other side.
    """

    marks: Sequence[int]
    verdicts: Sequence[Verdict]


def comparison_of(dialogue: Dialogue, chat: ChatFormat) -> Comparison:
    """The comparison in one logged dialogue, in the view of the chat format's side."""
    prompt = dialogue.task.prompt(chat.side)
    ids, mask = chat.dialogue(prompt, dialogue.messages)
    goal = set(chat.words(prompt))
    heard = chat.heard(prompt, dialogue.messages)
    marks = [0 if not h else PRESENT if t in goal else ABSENT for t, h in zip(ids, heard, strict=True)]
    # Own messages are runs of the mask; what stands right before one is not of the message itself.
    before_own = (i - 1 for i, own in enumerate(mask) if own and not mask[i - 1])
    verdicts = []
    others: list[list[int]] = []
    for turn, message in enumerate(dialogue.messages):
        if message.role != chat.side:
            others.append(chat.words(message.text))
            continue
        position = next(before_own)
        if others:
            verdicts.append(Verdict.of(position, goal, others, turn - len(others)))
    return Comparison(marks, verdicts)


class ComparisonLoss(torch.nn.Module):
    """Linear heads that read the comparison off the residual stream, trained along with the model, then thrown away.

    Two thirds up the model, one head says of each heard token whether the goal has it. At the last layer before a reply, one
    head per count of `Verdict` says how many: there the reply's first word can follow it.

    Args:
        hidden: width of the residual stream.
        layers: blocks of the model.
    """

    def __init__(self, hidden: int, layers: int) -> None:
        super().__init__()
        self.present = torch.nn.Linear(hidden, 1)
        self.counts = torch.nn.ModuleList(torch.nn.Linear(hidden, _MANY + 1) for _ in Verdict._fields[1:])
        for parameter in self.parameters():
            torch.nn.init.zeros_(parameter)  # so that no seed matters
        self.block = max(1, round(2 * layers / 3))

    def forward(
        self, states: torch.Tensor, last_states: torch.Tensor, comparisons: Sequence[Comparison]
    ) -> torch.Tensor:
        """Mean cross-entropy of the first head, in nats, and a tenth of each of the others.

        Args:
            states: [B, T - 1, hidden] after block `self.block`; the last token, an end of turn, is not among them.
            last_states: [B, T - 1, hidden] before the output layer.
            comparisons: [B], each of at most T tokens.
        """
        rows = [torch.as_tensor(c.marks) for c in comparisons]
        marks = pad_sequence(rows, batch_first=True)[:, : states.shape[1]].to(states.device)
        loss = states.new_zeros(())
        if (heard := marks > 0).any():
            logits = self.present(states[heard])[:, 0]
            loss = loss + binary_cross_entropy_with_logits(logits, (marks[heard] == PRESENT).float())
        told = [(row, verdict) for row, c in enumerate(comparisons) for verdict in c.verdicts]
        if told:
            before_reply = last_states[[row for row, _ in told], [verdict.position for _, verdict in told]]
            truth = torch.as_tensor([verdict.counts for _, verdict in told], device=states.device).clamp(max=_MANY)
            for head, count in zip(self.counts, truth.T, strict=True):
                loss = loss + _COUNT_WEIGHT * cross_entropy(head(before_reply), count)
        return loss
