"""How far two speakers are apart by their likelihoods: of one message, and of all that they led to. Unbiased.

For messages x drawn from P, the mean of `(1 - Q(x) / P(x))+` is the total variation between P and Q, since TV(P, Q) = sum over
x of (P(x) - Q(x))+. Both likelihoods must be those of the distributions actually sampled from (temperature and truncation
included). Nothing is assumed of the speakers, so that the same figure serves for agents (`eps_t`), for users (`delta_t`)
and, with the product over the messages so far, for contexts (`Delta_t`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from understudy.shift.contexts import alive_by_turn
from understudy.stats import bounded_interval
from understudy.types import Dialogue, Role

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class TurnShift:
    """Total variation between two speakers of one side at one turn: of their messages there, or of what they led to.

    Of a whole message it is averaged over the first speaker's own contexts. It can be worded in many ways, so that this is near
    1 long before anything that matters differs: read it beside the coherence table, and compare speakers with it rather than
    with 0.

    Attributes:
        turn: of users' messages: 0 is the opening, t the reply to the agent's message t - 1 (`delta` of
            `understudy.shift.exact.user_shift`); of agents' messages (`eps_t`) and of contexts (`Delta_t`): the agent's turn t.
        tv: in [0, 1]. A message that an ended dialogue does not have counts 0; of contexts, an ended one keeps all that was
            said in it.
        low: lower end of its 95% interval over dialogues.
        high: upper end.
        dialogues: of the first speaker.
        alive: those that have not ended at this turn.
        kl_bound: of messages, what `tv` is at most by the mean KL divergence (`kl_bound`), which is estimated from the same
            messages; None where no likelihoods were compared, and in results of earlier versions.
    """

    turn: int
    tv: float
    low: float
    high: float
    dialogues: int
    alive: int
    kl_bound: float | None = None


def kl_bound(kl: float) -> float:
    """The most that a total variation can be for a KL divergence: `min(sqrt(KL / 2), sqrt(1 - e^-KL))`, in [0, 1].

    Pinsker's inequality and that of Bretagnolle and Huber (1979), of which the first is sharper below 1.6 nats. Both are
    concave, so that they hold for means over contexts as well.

    Args:
        kl: in nats, 0 to inf; an estimate below 0 counts as 0.
    """
    kl = max(0.0, kl)
    return min(math.sqrt(kl / 2), math.sqrt(-math.expm1(-kl)))


def message_total_variation(log_p: float, log_q: float) -> float:
    """`(1 - Q(x) / P(x))+` for a message x drawn from P, whose mean is TV(P, Q).

    Args:
        log_p, log_q: log-probabilities of the message under each speaker's actual distribution; `log_q` may be -inf.

    Raises:
        ValueError: if `log_p` is -inf: P has not said this.
    """
    if log_p == -math.inf:
        raise ValueError("the message is impossible under the speaker that it should be drawn from")
    return max(0.0, -math.expm1(min(0.0, log_q - log_p)))


def message_shift_by_turn(
    log_p: Sequence[Sequence[float]], log_q: Sequence[Sequence[float]], *, min_alive: int = 30
) -> list[TurnShift]:
    """One point per turn up to the last one that `min_alive` dialogues reach.

    Args:
        log_p: by dialogue and message, for dialogues that speaker P held.
        log_q: the same messages under Q.

    Raises:
        ValueError: if the two do not hold the same numbers of messages.
    """
    points = shift_by_turn(_distances(log_p, log_q), min_alive=min_alive)
    ratios = _by_turn([[p - q for p, q in zip(*both, strict=True)] for both in zip(log_p, log_q, strict=True)])
    return [replace(point, kl_bound=kl_bound(float(np.mean(ratios[point.turn])))) for point in points]


def message_shift_values(log_p: Sequence[Sequence[float]], log_q: Sequence[Sequence[float]]) -> Values:
    """[turns, D] what each dialogue gives to the mean at each turn, 0 where it has ended; see `message_shift_by_turn`."""
    return _by_turn(_distances(log_p, log_q))


def _distances(log_p: Sequence[Sequence[float]], log_q: Sequence[Sequence[float]]) -> list[list[float]]:
    return [
        [message_total_variation(p, q) for p, q in zip(of_p, of_q, strict=True)]
        for of_p, of_q in zip(log_p, log_q, strict=True)
    ]


def shift_by_turn(distances: Sequence[Sequence[float]], *, min_alive: int = 30) -> list[TurnShift]:
    """The mean of a figure in [0, 1] by turn, as `message_shift_by_turn` takes it.

    Args:
        distances: by dialogue and message.
    """
    points = []
    for turn, values in enumerate(_by_turn(distances)):
        alive = sum(len(messages) > turn for messages in distances)
        if alive < min_alive:
            break
        found = bounded_interval(values)
        points.append(TurnShift(turn, found.mean, found.low, found.high, found.n, alive))
    return points


def _by_turn(distances: Sequence[Sequence[float]]) -> Values:
    """[turns, D], 0 where a dialogue has ended."""
    values = np.zeros((max(map(len, distances), default=0), len(distances)))
    for dialogue, of_dialogue in enumerate(distances):
        values[: len(of_dialogue), dialogue] = of_dialogue
    return values


def context_shift_by_turn(
    dialogues: Sequence[Dialogue],
    side: Role,
    log_p: Sequence[Sequence[float]],
    log_q: Sequence[Sequence[float]],
    *,
    min_alive: int = 30,
) -> list[TurnShift]:
    """One point per turn of the agent up to the last one that `min_alive` dialogues reach.

    The other side's messages have the same likelihood in both processes, and cancel.

    Args:
        dialogues: held by speaker P of this side.
        side: whose speakers are compared.
        log_p: by dialogue and message of this side.
        log_q: the same messages under Q.

    Raises:
        ValueError: if a dialogue's messages and likelihoods differ in number, or P has not said what it holds.
    """
    points = []
    alive_at = alive_by_turn(dialogues)
    for turn, values in enumerate(context_shift_values(dialogues, side, log_p, log_q)):
        if alive_at[turn] < min_alive:
            break
        found = bounded_interval(values)
        points.append(TurnShift(turn, found.mean, found.low, found.high, found.n, alive_at[turn]))
    return points


def context_shift_values(
    dialogues: Sequence[Dialogue], side: Role, log_p: Sequence[Sequence[float]], log_q: Sequence[Sequence[float]]
) -> Values:
    """[turns, D] what each dialogue gives to the mean at each turn of the agent; see `context_shift_by_turn`."""
    values = np.zeros((len(alive_by_turn(dialogues)), len(dialogues)))
    for index, (dialogue, p, q) in enumerate(zip(dialogues, log_p, log_q, strict=True)):
        before, messages = _said_before(dialogue, side)
        path = _path(p, q, messages)
        for turn in range(len(values)):
            reached = path[before[turn] if turn < len(before) else -1]
            values[turn, index] = message_total_variation(0.0, float(reached))
    return values


def _said_before(dialogue: Dialogue, side: Role) -> tuple[list[int], int]:
    """For each of the agent's turns how many messages of this side stand before it, and how many there are."""
    said, before = 0, []
    for message in dialogue.messages:
        if message.role == "agent":
            before.append(said)
        said += message.role == side
    return before, said


def _path(log_p: Sequence[float], log_q: Sequence[float], messages: int) -> Values:
    """[messages + 1] log of Q / P of the first 0, 1, .. messages together."""
    if not len(log_p) == len(log_q) == messages:
        raise ValueError(f"{messages} messages have {len(log_p)} and {len(log_q)} likelihoods")
    if -math.inf in log_p:
        raise ValueError("a message is impossible under the speaker that it should be drawn from")
    return np.concatenate([[0.0], np.cumsum(np.asarray(log_q, dtype=float) - np.asarray(log_p, dtype=float))])
