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
    """A dialogue to be held: which task, with whom, and the seed of all its randomness."""

    key: int
    task: Task
    person: str
    seed: int


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
            turns = dialogue(family, appointment.task, appointment.person)
            held[appointment.key] = _Open(appointment, turns, *next(turns))
        if not held:
            break
        for role, speaker in (("user", user), ("agent", agent)):
            asked = [item for item in held.values() if item.turn == role]
            if not asked:
                continue
            for item, answer in zip(asked, speaker.reply([_request(item) for item in asked]), strict=True):
                finished = _step(item, answer)
                if finished is None:
                    continue
                key = item.appointment.key
                del held[key]
                records = agent.finish(key), user.finish(key)
                if isinstance(finished, Dialogue):
                    result.traces.append(Trace(key, finished, *records))
                else:
                    result.failures.append(finished)
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


def _step(item: _Open, answer: Message | Failure) -> Dialogue | FailedDialogue | None:
    if isinstance(answer, Failure):
        item.turns.close()
        return FailedDialogue(item.appointment.key, item.appointment.task.id, item.turn, answer.reason, item.messages)
    try:
        item.turn, item.messages = item.turns.send(answer)
    except StopIteration as stop:
        finished: Dialogue = stop.value
        return finished
    return None
