"""Where an aligned user knows people: what an agent may say to it that is still like the logs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from understudy.runs import write_json
from understudy.types import Message
from understudy.users.beside import read_beside

FILE = "support.json"


def atypicality(nats: ArrayLike, expected: ArrayLike, variance: ArrayLike) -> float:
    """How much less likely a message is than messages are there, in standard deviations; about 0 for what the model would say.

    The surprise of its tokens less their entropies, over the root of their summed variance under the model: how far it lies
    from the typical set (Cover, Thomas, Elements of Information Theory, 3), which Nalisnick et al. 2019 (arXiv 1906.02994) test
    to both sides for what a model has not learned; here what is likelier than usual counts as known. The likelihood alone would
    find any short message likely, garbage included, and any long one unlikely. A variance of 1 is added, so that where the
    model is all but certain another wording is no wonder.

    Args:
        nats, expected, variance: [n] of its tokens, the one that ends it included (`understudy.models.likelihood.Surprise`).
    """
    return float((np.sum(nats) - np.sum(expected)) / np.sqrt(np.sum(variance) + 1))


def said_before(messages: Sequence[Message]) -> int:
    """How often who wrote the last message had written it before, word for word; case and spaces do not count."""
    last = messages[-1]
    said = [message.heard.lower().split() for message in messages if message.role == last.role]
    return said.count(said[-1]) - 1


@dataclass(frozen=True, slots=True)
class Support:
    """The agent's messages to which people's answers are known, by how typical the user's own model finds them.

    A user model answers anything, also what no log holds: there it guesses, and a policy that is paid by its guesses learns to
    lead it there. Beyond the support the user leaves instead, as a pessimistic model of the world stops where it was not
    learned (Kidambi et al. 2020, arXiv 2005.05951). Messages that are more typical than most are inside.

    What was said before is counted apart: a model that can copy finds it typical, however rare it is that agents say a thing
    again, and a policy that has found a good sentence says nothing else.

    Attributes:
        limit: `atypicality` up to which a message is inside, finite.
        repeats: times `said_before` up to which it is as well, 0 or more.
        quantile: which the limit is of the agents' messages in logs of held-out persons, and `repeats` of those in all logs; in
            (0, 1).
        messages: those of held-out persons.

    Raises:
        ValueError: if the limit is not finite, or another out of range.
    """

    limit: float
    repeats: int
    quantile: float
    messages: int

    def __post_init__(self) -> None:
        if not math.isfinite(self.limit) or self.repeats < 0 or not 0 < self.quantile < 1:
            raise ValueError("its limit must be a finite number, its repeats 0 or more, its quantile between 0 and 1")

    def save(self, folder: Path) -> None:
        """Write `support.json` beside the model."""
        write_json(folder / FILE, asdict(self))

    @classmethod
    def load(cls, folder: Path) -> Support | None:
        """The support that lies beside a model; None if there is none.

        Raises:
            ModelError: if the file is there but holds something else.
        """
        return read_beside(
            folder / FILE,
            lambda found: cls(
                float(found["limit"]), int(found["repeats"]), float(found["quantile"]), int(found["messages"])
            ),
            what="the support of a user",
            fix="align the user again: start anew with another --out",
        )
