"""Many dialogues at once: steps the turn generators, asks each side in batches, refills finished places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from understudy.dialogue import Turns, dialogue
from understudy.speaker import Failure, Request, Speaker
from understudy.tasks.base import TaskFamily
from understudy.types import Dialogue, FailedDialogue, Message, Role, Task, Trace


@dataclass(frozen=True, slots=True)
class Appointment:
    """A dialogue to be held: which task, with whom, the seed of all its randomness, and what was said before it is taken up.

    Attributes:
        most_agent_turns: see `dialogue`; agent messages in `said` count.
    """

    key: int
    task: Task
    person: str
    seed: int
    said: tuple[Message, ...] = ()
    most_agent_turns: int | None = None


@dataclass
class Conversations:
    """Finished dialogues in the order of their keys, and those that failed."""

    traces: list[Trace] = field(default_factory=list)
    failures: list[FailedDialogue] = field(default_factory=list)

    @property
    def dialogues(self) -> list[Dialogue]:
        return [trace.dialogue for trace in self.traces]


@dataclass
class _Open:
    appointment: Appointment
    turns: Turns
    turn: Role
    messages: tuple[Message, ...]


def converse(
    family: TaskFamily,
    appointments: Iterable[Appointment],
    agent: Speaker,
    user: Speaker,
    *,
    width: int,
    on_finished: Callable[[int], None] | None = None,
) -> Conversations:
    """Hold all dialogues, `width` at a time.

    A dialogue's content depends on its appointment and the speakers alone, not on `width` or on its neighbours (up to the
    rounding of a model's batched products).

    Args:
        on_finished: called with the number of dialogues finished or failed so far.
    """
    waiting = iter(appointments)
    held: dict[int, _Open] = {}
    result = Conversations()
    while True:
        while len(held) < width and (appointment := next(waiting, None)) is not None:
            turns = dialogue(
                family, appointment.task, appointment.person, most_agent_turns=appointment.most_agent_turns
            )
            item = _Open(appointment, turns, *next(turns))
            finished = _take_up(item)
            if finished is None:
                held[appointment.key] = item
                continue
            result.traces.append(Trace(appointment.key, finished))
            if on_finished:
                on_finished(len(result.traces) + len(result.failures))
        if not held:
            break
        for role, speaker in (("user", user), ("agent", agent)):
            asked = [item for item in held.values() if item.turn == role]
            if not asked:
                continue
            for item, answer in zip(asked, speaker.reply([_request(item) for item in asked]), strict=True):
                ended = _failed(item, answer) if isinstance(answer, Failure) else _step(item, answer)
                if ended is None:
                    continue
                key = item.appointment.key
                del held[key]
                records = agent.finish(key), user.finish(key)
                if isinstance(ended, Dialogue):
                    result.traces.append(Trace(key, ended, *records))
                else:
                    result.failures.append(ended)
                if on_finished:
                    on_finished(len(result.traces) + len(result.failures))
    result.traces.sort(key=lambda trace: trace.key)
    result.failures.sort(key=lambda failure: failure.key)
    return result


def _request(item: _Open) -> Request:
    appointment, role = item.appointment, item.turn
    task = appointment.task
    return Request(
        key=appointment.key,
        role=role,
        prompt=task.prompt(role),
        messages=item.messages,
        seed=appointment.seed,
        person=appointment.person if role == "user" else "",
        goal=task.goal if role == "user" else None,
    )


def _take_up(item: _Open) -> Dialogue | None:
    """Play back what was said before; the dialogue if that ended it."""
    for message in item.appointment.said:
        finished = _step(item, message)
        if finished is not None:
            return finished
    return None


def _failed(item: _Open, failure: Failure) -> FailedDialogue:
    item.turns.close()
    return FailedDialogue(item.appointment.key, item.appointment.task.id, item.turn, failure.reason, item.messages)


def _step(item: _Open, answer: Message) -> Dialogue | None:
    try:
        item.turn, item.messages = item.turns.send(answer)
    except StopIteration as stop:
        finished: Dialogue = stop.value
        return finished
    return None
