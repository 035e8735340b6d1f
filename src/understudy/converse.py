"""Many dialogues at once: steps the turn generators, asks each side in batches, refills finished places."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from understudy.dialogue import dialogue
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


class Held:
    """A dialogue under way: an appointment's turn generator, stepped with the answers that somebody brings.

    Attributes:
        turn: the side whose message is awaited.
        messages: what was said so far.
    """

    def __init__(self, family: TaskFamily, appointment: Appointment) -> None:
        self.appointment = appointment
        self._turns = dialogue(
            family, appointment.task, appointment.person, most_agent_turns=appointment.most_agent_turns
        )
        self.turn: Role
        self.messages: tuple[Message, ...]
        self.turn, self.messages = next(self._turns)

    def take_up(self) -> Dialogue | None:
        """Play back what was said before; the dialogue if that ended it."""
        for message in self.appointment.said:
            finished = self._step(message)
            if finished is not None:
                return finished
        return None

    def request(self) -> Request:
        """What the side whose turn it is may see."""
        appointment, role = self.appointment, self.turn
        task = appointment.task
        return Request(
            key=appointment.key,
            role=role,
            prompt=task.prompt(role),
            messages=self.messages,
            seed=appointment.seed,
            person=appointment.person if role == "user" else "",
            goal=task.goal if role == "user" else None,
        )

    def answer(self, answer: Message | Failure) -> Dialogue | FailedDialogue | None:
        """Go on with what was answered; the dialogue if it is over, or has failed."""
        if isinstance(answer, Failure):
            self._turns.close()
            return FailedDialogue(
                self.appointment.key, self.appointment.task.id, self.turn, answer.reason, self.messages, answer.fix
            )
        return self._step(answer)

    def _step(self, answer: Message) -> Dialogue | None:
        try:
            self.turn, self.messages = self._turns.send(answer)
        except StopIteration as stop:
            finished: Dialogue = stop.value
            return finished
        return None


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
    held: dict[int, Held] = {}
    result = Conversations()
    while True:
        while len(held) < width and (appointment := next(waiting, None)) is not None:
            item = Held(family, appointment)
            finished = item.take_up()
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
            for item, answer in zip(asked, speaker.reply([item.request() for item in asked]), strict=True):
                ended = item.answer(answer)
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
