"""What a user made from scratch is taught beside the likelihood: to compare what it hears with what it wants, and to count.

A downloaded model can do both. A tiny one learned neither by the likelihood of some hundreds or thousands of dialogues: it
approved most wrong drafts, or left at all turns alike (BENCHMARKS.md). Words are told apart as tokens; none has a meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from torch.nn.utils.rnn import pad_sequence

from understudy.config import SFTConfig
from understudy.models.chat import ChatFormat
from understudy.types import Dialogue

ABSENT, PRESENT = 1, 2
_MANY = 8


@dataclass(frozen=True, slots=True)
class Targets:
    """What is to be told along one token sequence.

    Attributes:
        marks: for each token 0 unless heard from the other side, else whether the goal has it: `ABSENT` or `PRESENT`.
        spoken: own messages so far, at the last token before the own words of each reply, by its place.
    """

    marks: Sequence[int]
    spoken: Mapping[int, int]


def targets_of(dialogue: Dialogue, chat: ChatFormat) -> Targets:
    """The targets in one logged dialogue, in the view of the chat format's side."""
    prompt = dialogue.task.prompt(chat.side)
    ids, mask = chat.dialogue(prompt, dialogue.messages)
    goal = set(chat.words(prompt))
    heard = chat.heard(prompt, dialogue.messages)
    marks = [0 if not h else PRESENT if t in goal else ABSENT for t, h in zip(ids, heard, strict=True)]
    # Own messages are runs of the mask; what stands right before one is not of the message itself.
    before_own = [i - 1 for i, own in enumerate(mask) if own and not mask[i - 1]]
    opens = chat.own_opens(dialogue.messages)
    return Targets(marks, {place: n for n, place in enumerate(before_own) if n or not opens})


class AuxiliaryLoss(torch.nn.Module):
    """Linear heads that read the targets off the residual stream, trained along with the model, then thrown away.

    Two thirds up the model, one says of each heard token whether the goal has it (`sft.comparison_weight`). At the last layer
    before a reply, another says how often this side has spoken (`sft.counting_weight`): there the reply's first word can follow
    it, and there it takes room from what that word must recall, a value of the goal (BENCHMARKS.md).

    Args:
        hidden: width of the residual stream.
        layers: blocks of the model.
        config: with the weights of the two.
    """

    def __init__(self, hidden: int, layers: int, config: SFTConfig) -> None:
        super().__init__()
        self.present = torch.nn.Linear(hidden, 1)
        self.spoken = torch.nn.Linear(hidden, _MANY + 1)
        for parameter in self.parameters():
            torch.nn.init.zeros_(parameter)  # so that no seed matters
        self.comparison_weight, self.counting_weight = config.comparison_weight, config.counting_weight
        self.block = max(1, round(2 * layers / 3))

    def forward(self, states: torch.Tensor, last_states: torch.Tensor, targets: Sequence[Targets]) -> torch.Tensor:
        """Weighted sum of the two heads' mean cross-entropies, in nats.

        Args:
            states: [B, T - 1, hidden] after block `self.block`; the last token, an end of turn, is not among them.
            last_states: [B, T - 1, hidden] before the output layer.
            targets: [B], each of at most T tokens.
        """
        rows = [torch.as_tensor(t.marks) for t in targets]
        marks = pad_sequence(rows, batch_first=True)[:, : states.shape[1]].to(states.device)
        loss = states.new_zeros(())
        heard = marks > 0
        if self.comparison_weight and heard.any():
            logits = self.present(states[heard])[:, 0]
            compared = binary_cross_entropy_with_logits(logits, (marks[heard] == PRESENT).float())
            loss = loss + self.comparison_weight * compared
        told = [(row, place, n) for row, t in enumerate(targets) for place, n in t.spoken.items()]
        if self.counting_weight and told:
            before_reply = last_states[[row for row, *_ in told], [place for _, place, _ in told]]
            truth = torch.as_tensor([n for *_, n in told], device=states.device).clamp(max=_MANY)
            loss = loss + self.counting_weight * cross_entropy(self.spoken(before_reply), truth)
        return loss
