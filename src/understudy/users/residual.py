"""What a fine-tuned user still gets wrong, as an energy by which its replies are weighed.

Residual energy-based model (Deng et al. 2020, arXiv 2004.11714): `P(reply | context) ~ P_sft(reply | context) exp(E)`.
A classifier that tells people's replies from the model's own in the same contexts has the log of the ratio of the two
as its logit, so that logit is E.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from understudy.runs import write_json
from understudy.types import Message
from understudy.users.beside import read_beside
from understudy.users.relations import reply_relations

FILE = "residual.json"


@dataclass(frozen=True)
class ResidualEnergy:
    """A log-linear energy over `reply_relations`: people's replies score high, replies that only the model gives low.

    Attributes:
        weights: by relation; what is not named weighs 0.
    """

    weights: Mapping[str, float]

    def energy(self, goal: str, messages: Sequence[Message], reply: Message) -> float:
        """E(goal, what was said, reply) in nats, up to a constant."""
        get = self.weights.get
        return sum(get(name, 0.0) * count for name, count in reply_relations(goal, messages, reply).items())

    def save(self, folder: Path) -> None:
        """Write `residual.json` beside the model; the largest weights first, so that people can read what it learned."""
        ordered = sorted(self.weights.items(), key=lambda item: -abs(item[1]))
        write_json(folder / FILE, {name: round(weight, 4) for name, weight in ordered})

    @classmethod
    def load(cls, folder: Path) -> ResidualEnergy | None:
        """The energy that lies beside a model; None if there is none.

        Raises:
            ModelError: if the file is there but is not an object of numbers.
        """
        return read_beside(
            folder / FILE,
            lambda found: cls({str(name): float(weight) for name, weight in found.items()}),
            what="a residual energy",
            fix="delete it to sample the user without one, or align the user again",
        )
