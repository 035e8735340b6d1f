"""Why a record cannot be used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


class Unfit(Exception):
    """A record is no conversation that can be used.

    Args:
        kind: what is wrong in words that are the same for all such records, for the summary.
        detail: where in the record.
        also: what else is wrong with it.
    """

    def __init__(self, kind: str, detail: str = "", also: Sequence[Unfit] = ()) -> None:
        self.kind, self.detail, self.also = kind, detail, tuple(also)
        own = f"{kind} ({detail})" if detail else kind
        super().__init__("; ".join([own, *map(str, also)]))

    @classmethod
    def of_all(cls, faults: Iterable[Unfit]) -> Unfit:
        """All faults of a record as one, each kind once with all its places; there is at least one."""
        places: dict[str, list[str]] = {}
        for fault in faults:
            for each in (fault, *fault.also):
                places.setdefault(each.kind, []).append(each.detail)
        first, *others = (cls(kind, "; ".join(filter(None, details))) for kind, details in places.items())
        return cls(first.kind, first.detail, others)
