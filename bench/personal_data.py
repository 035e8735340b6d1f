"""How much personal data `understudy logs scrub` finds in labelled texts, and how much of what it finds is right.

    python bench/personal_data.py

Two sets of messages, both written for the purpose by somebody who did not see the rules: with the first the rules were
mended afterwards, the second (written to mislead) was never used for that. A find counts if its kind and both ends are the
labelled ones.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from understudy.logs.personal_data import find, finders
from understudy.stats import binomial_interval

FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures"
SETS = {
    "personal_data.jsonl": ["Maria Fernandez", "Tom", "Siobhan O'Neill", "Wei Zhang"],
    "personal_data_held_out.jsonl": ["Amara Okafor", "Lars", "Jean-Luc Moreau", "Priya"],
}
"""File -> the names that the scrubber is told."""


def tally(fixture: str, names: Sequence[str]) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """By kind: found rightly, found wrongly, missed."""
    right, wrong, missed = Counter[str](), Counter[str](), Counter[str]()
    by = finders(names)
    for line in (FIXTURES / fixture).read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        labelled = {(s["start"], s["end"], s["kind"]) for s in record["spans"]}
        found = {tuple(span) for span in find(record["text"], by)}
        right.update(kind for _, _, kind in labelled & found)
        wrong.update(str(kind) for _, _, kind in found - labelled)
        missed.update(kind for _, _, kind in labelled - found)
    return right, wrong, missed


def main() -> None:
    for fixture, names in SETS.items():
        right, wrong, missed = tally(fixture, names)
        print(fixture)
        for kind in [*sorted({*right, *wrong, *missed}), "all"]:
            r, w, m = (c.total() if kind == "all" else c[kind] for c in (right, wrong, missed))
            print(f"    {kind:6} recall {_share(r, r + m)}, precision {_share(r, r + w)}")


def _share(part: int, whole: int) -> str:
    found = binomial_interval(part, whole)
    return f"{found.mean:.2f} [{found.low:.2f}, {found.high:.2f}] ({part} of {whole})"


if __name__ == "__main__":
    main()
