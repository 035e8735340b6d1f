"""Tables about users: contradictions, style, perplexity, and the agent x user table; each over the seeds that have it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from understudy.report.collect import CellFiles
from understudy.report.summary import over_seeds
from understudy.results import Figure
from understudy.stats import Interval, binomial_interval


@dataclass(frozen=True)
class Share:
    """Violations among occasions, pooled over seeds, with Wilson's interval."""

    violations: int
    occasions: int
    interval: Interval


@dataclass(frozen=True)
class UserTables:
    """What is known of the users of one family; rows by name, then cells by user.

    Attributes:
        seeds: with these measurements.
        coherence: by kind of contradiction.
        style: by figure.
        perplexity: per token and bits per character, by whose words are predicted.
    """

    seeds: int
    users: tuple[str, ...]
    coherence: Mapping[str, Mapping[str, Share]]
    style: Mapping[str, Mapping[str, Interval]]
    perplexity: Mapping[str, tuple[Interval | None, Interval | None]]


def user_tables(cells: Sequence[CellFiles]) -> UserTables | None:
    """Over all seeds whose users were measured; None where there is none."""
    results = [cell.users for cell in cells if cell.users is not None]
    if not results:
        return None
    counts: dict[str, dict[str, list[int]]] = {}
    figures: dict[str, dict[str, list[Figure]]] = {}
    models: dict[str, list[tuple[float, float]]] = {}
    for result in results:
        for user, rows in result.coherence.items():
            for row in rows:
                found = counts.setdefault(row.kind, {}).setdefault(user, [0, 0])
                found[0] += row.violations
                found[1] += row.occasions
        for user, by_name in result.style.items():
            for name, figure in by_name.items():
                figures.setdefault(name, {}).setdefault(user, []).append(figure)
        for name, perplexity in result.perplexity.items():
            models.setdefault(name, []).append((perplexity.per_token, perplexity.bits_per_character))
    return UserTables(
        seeds=len(results),
        users=tuple(dict.fromkeys(user for result in results for user in (*result.coherence, *result.style))),
        coherence={
            kind: {user: Share(v, n, binomial_interval(v, n)) for user, (v, n) in by_user.items()}
            for kind, by_user in sorted(counts.items())
        },
        style={name: {user: _style(found) for user, found in by_user.items()} for name, by_user in figures.items()},
        perplexity={
            name: (over_seeds([token for token, _ in pairs]), over_seeds([bits for _, bits in pairs]))
            for name, pairs in models.items()
        },
    )


def _style(figures: list[Figure]) -> Interval:
    if len(figures) == 1:
        return Interval(figures[0].mean, figures[0].low, figures[0].high, 1)
    return over_seeds([figure.mean for figure in figures]) or Interval(float("nan"), float("nan"), float("nan"), 0)


def agent_by_user(cells: Sequence[CellFiles]) -> tuple[tuple[str, ...], dict[str, dict[str, float]]]:
    """Users in order, and the tuned agents' mean reward over seeds by arm and user."""
    values: dict[str, dict[str, list[float]]] = {}
    for cell in cells:
        for arm, result in cell.arms.items():
            for user, score in result.agent_x_user.items():
                values.setdefault(arm, {}).setdefault(user, []).append(score.reward)
    users = tuple(dict.fromkeys(user for by_user in values.values() for user in by_user))
    return users, {
        arm: {user: sum(found) / len(found) for user, found in by_user.items()} for arm, by_user in values.items()
    }
