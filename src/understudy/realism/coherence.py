"""How often a user contradicts its goal or what was said: what an AUC near .5 does not show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from understudy.stats import clustered_share
from understudy.tasks.base import TaskFamily
from understudy.types import Dialogue


@dataclass(frozen=True, slots=True)
class CoherenceRow:
    """One kind of contradiction.

    Attributes:
        kind: in the family's words (`Check.kind`).
        occasions: how often the user could have done it.
        violations: how often it did.
        rate: violations / occasions; nan where there was no occasion.
        low: lower end of the 95% interval of `rate`, dialogues as clusters; 0 where there was no occasion.
        high: upper end; 1 where there was no occasion.
    """

    kind: str
    occasions: int
    violations: int
    rate: float
    low: float
    high: float


def coherence_table(family: TaskFamily, dialogues: Sequence[Dialogue], kinds: Sequence[str] = ()) -> list[CoherenceRow]:
    """One row per kind of contradiction that had an occasion, by name; the same order for every user.

    Args:
        kinds: also give a row for these, with 0 occasions where there were none (to put users side by side).
    """
    # Per kind and dialogue: occasions and violations.
    counts: dict[str, dict[int, list[int]]] = {kind: {} for kind in kinds}
    for index, dialogue in enumerate(dialogues):
        for check in family.coherence(dialogue.task, dialogue.messages):
            seen = counts.setdefault(check.kind, {}).setdefault(index, [0, 0])
            seen[0] += 1
            seen[1] += check.violated
    rows = []
    for kind, per_dialogue in sorted(counts.items()):
        occasions = [n for n, _ in per_dialogue.values()]
        violations = [k for _, k in per_dialogue.values()]
        share = clustered_share(violations, occasions)
        rows.append(CoherenceRow(kind, sum(occasions), sum(violations), share.mean, share.low, share.high))
    return rows
