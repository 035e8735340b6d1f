"""Teaches a user made from scratch to compare what it hears with what it wants: which heard words occur in its goal.

A downloaded model can compare; a tiny one that the likelihood of a few thousand dialogues has taught approves most wrong
drafts (BENCHMARKS.md). Here each heard word has its own yes or no.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from understudy.models.chat import ChatFormat
from understudy.models.likelihood import Batch
from understudy.types import Dialogue

ABSENT, PRESENT = 1, 2


def overlap_marks(dialogue: Dialogue, chat: ChatFormat) -> list[int]:
    """For each token of the dialogue in this side's view: 0 unless heard, else whether the side's prompt has it."""
    prompt = dialogue.task.prompt(chat.side)
    ids, _ = chat.dialogue(prompt, dialogue.messages)
    wanted = set(chat.words(prompt))
    heard = chat.heard(prompt, dialogue.messages)
    return [0 if not marked else PRESENT if i in wanted else ABSENT for i, marked in zip(ids, heard, strict=True)]


class OverlapLoss(torch.nn.Module):
    """Binary cross-entropy of a linear head on the residual stream two thirds up the model.

    Args:
        hidden: width of the residual stream.
        layers: blocks of the model.
        marks: `overlap_marks` of each example, in the order that the batches' `indices` count in.
    """

    def __init__(self, hidden: int, layers: int, marks: Sequence[Sequence[int]]) -> None:
        super().__init__()
        self.head = torch.nn.Linear(hidden, 1)
        torch.nn.init.zeros_(self.head.weight)  # no seed is needed, and none is used up
        torch.nn.init.zeros_(self.head.bias)
        self.block = max(1, round(2 * layers / 3))
        self.marks = [torch.as_tensor(m) for m in marks]

    def forward(self, states: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Mean over the heard words, 0 where there is none.

        Args:
            states: [B, T - 1, hidden] after block `self.block`; the last token, an end of turn, is not among them.
        """
        rows = [self.marks[i] for i in batch.indices]
        marks = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True)[:, : states.shape[1]].to(states.device)
        heard = marks > 0
        if not heard.any():
            return states.new_zeros(())
        return binary_cross_entropy_with_logits(self.head(states[heard])[:, 0], (marks[heard] == PRESENT).float())
