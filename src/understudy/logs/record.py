"""One dialogue as one JSON object in the OpenAI `messages` form, and back without loss.

```json
{"id": "t-1", "family": "elicit", "person": "person-7",
 "messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "what size ?", "shown": "3 cups"},
              {"role": "user", "content": "", "end": true}],
 "task": {"agent_prompt": "...", "user_prompt": "...", "goal": {}, "opener": "user"},
 "outcome": {"reward": 0.0, "ending": "left", "details": {}}}
```
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, cast

from understudy.errors import LogError
from understudy.types import Dialogue, Message, Outcome, Role, Task

ROLE_NAMES: dict[Role, str] = {"agent": "assistant", "user": "user"}
"""Our word for a side -> the word of the `messages` form."""
SIDES: dict[str, Role] = {name: role for role, name in ROLE_NAMES.items()}

_TYPE_WORDS = {str: "a string", list: "a list", dict: "an object", float: "a number", bool: "true or false"}


def to_record(dialogue: Dialogue) -> dict[str, Any]:
    """The JSON-able record of a dialogue; `end` is written only where it is true, `shown` where something is,
    `public` where something is not.

    `from_record` gives back an equal dialogue if the goal holds JSON's own types (lists, not tuples; string keys).
    """
    task, outcome = dialogue.task, dialogue.outcome
    return {
        "id": task.id,
        "family": task.family,
        "person": dialogue.person,
        "messages": [
            {"role": ROLE_NAMES[m.role], "content": m.text}
            | ({"end": True} if m.end else {})
            | ({"shown": m.shown} if m.shown else {})
            | ({"public": m.public} if m.public is not None else {})
            for m in dialogue.messages
        ],
        "task": {
            "agent_prompt": task.agent_prompt,
            "user_prompt": task.user_prompt,
            "goal": dict(task.goal),
            "opener": task.opener,
        },
        "outcome": {
            "reward": float(outcome.reward),
            "ending": outcome.ending,
            "details": {name: float(value) for name, value in outcome.details.items()},
        }
        | ({"turn_rewards": [float(reward) for reward in outcome.turn_rewards]} if outcome.turn_rewards else {}),
    }


def from_record(record: object, *, where: str = "") -> Dialogue:
    """The dialogue of a record.

    A leading `system` message is accepted as the agent's prompt where `task.agent_prompt` is missing. The sides must
    alternate, starting with `task.opener`. Both must have spoken, unless the first speaker ended the conversation at
    once (`"end": true`).

    Args:
        where: file and line, put in front of every error.

    Raises:
        LogError: naming `where` and the key, if a key is missing or has the wrong type or value.
    """
    fields = _Fields(record, where, "")
    task, outcome = fields.inner("task"), fields.inner("outcome")
    system, messages = _messages(fields.get("messages", list), where)
    agent_prompt = system if system is not None and "agent_prompt" not in task.values else task.get("agent_prompt", str)
    if system is not None and system != agent_prompt:
        raise _error(where, "messages[0].content", "the system message is not task.agent_prompt", "drop one of the two")
    opener = task.get("opener", str)
    if opener not in ROLE_NAMES:
        raise _error(where, "task.opener", f"{opener!r} is no side", "write agent or user")
    if messages[0].role != opener:
        raise _error(
            where, "task.opener", f"is {opener}, but the first message is the {messages[0].role}'s", "make them agree"
        )
    details = outcome.get("details", dict)
    return Dialogue(
        task=Task(
            family=fields.get("family", str),
            id=fields.get("id", str),
            agent_prompt=agent_prompt,
            user_prompt=task.get("user_prompt", str),
            goal=task.get("goal", dict),
            opener=cast(Role, opener),
        ),
        person=fields.get("person", str),
        messages=messages,
        outcome=Outcome(
            reward=outcome.get("reward", float),
            ending=outcome.get("ending", str),
            details={key: _Fields(details, where, "outcome.details.").get(key, float) for key in details},
            turn_rewards=_turn_rewards(outcome, sum(m.role == "agent" for m in messages), where),
        ),
    )


def _turn_rewards(outcome: _Fields, messages: int, where: str) -> tuple[float, ...]:
    """Empty where the outcome gives none.

    Args:
        messages: how many of them the agent wrote.
    """
    if "turn_rewards" not in outcome.values:
        return ()
    given, key = outcome.get("turn_rewards", list), "outcome.turn_rewards"
    if not all(isinstance(r, int | float) and not isinstance(r, bool) and math.isfinite(r) for r in given):
        raise _error(where, key, "holds something else than finite numbers", "give one for each message of the agent")
    if len(given) != messages:
        raise _error(
            where, key, f"holds {len(given)} rewards for {messages} messages of the agent", "give one for each"
        )
    if not math.isclose(sum(given), outcome.get("reward", float), rel_tol=1e-6, abs_tol=1e-6):
        raise _error(where, key, "does not sum to outcome.reward", "make them agree, or leave it out")
    return tuple(float(value) for value in given)


def _messages(raw: Sequence[object], where: str) -> tuple[str | None, tuple[Message, ...]]:
    """The leading system message (None if there is none), and what the two sides said."""
    system: str | None = None
    messages: list[Message] = []
    for index, item in enumerate(raw):
        key = f"messages[{index}]"
        fields = _Fields(item, where, f"{key}.")
        role, text = fields.get("role", str), fields.get("content", str)
        end = fields.get("end", bool) if "end" in fields.values else False
        shown = fields.get("shown", str) if "shown" in fields.values else ""
        public = fields.get("public", str) if "public" in fields.values else None
        if role == "system" and index == 0:
            system = text
            continue
        if role not in SIDES:
            fix = "a system message can only be the first" if role == "system" else "write user or assistant"
            raise _error(where, f"{key}.role", f"{role!r} is not allowed here", fix)
        side = SIDES[role]
        if not text and not end:
            raise _error(
                where, f"{key}.content", "is empty, and the message does not end the conversation",
                'drop the message, or add "end": true if its speaker left without a word',
            )  # fmt: skip
        if messages and messages[-1].end:
            raise _error(
                where, key, "comes after a message that ended the conversation", 'drop it, or the "end" before'
            )
        if messages and messages[-1].role == side:
            raise _error(where, key, f"follows another message of the same side ({role})", "join them into one")
        messages.append(Message(side, text, end, shown, public))
    spoke = {message.role for message in messages}
    left_at_once = len(messages) == 1 and messages[0].end
    if len(spoke) < 2 and not left_at_once:
        missing = " and ".join(name for role, name in ROLE_NAMES.items() if role not in spoke)
        raise _error(where, "messages", f"nothing is said by the {missing} side", "give both sides, or drop this line")
    return system, tuple(messages)


class _Fields:
    """Typed access to one JSON object, with errors that name the key."""

    def __init__(self, values: object, where: str, prefix: str) -> None:
        if not isinstance(values, Mapping):
            raise _error(where, prefix.rstrip(".") or "the line", f"is {_show(values)}, not an object", "write {...}")
        self.values: Mapping[str, Any] = values
        self.where, self.prefix = where, prefix

    def get(self, key: str, kind: type) -> Any:
        path = f"{self.prefix}{key}"
        if key not in self.values:
            raise _error(self.where, path, "is missing", f"add it: {_TYPE_WORDS[kind]}")
        value = self.values[key]
        if kind is float:
            # bool is an int in Python, and NaN a float; neither is a figure.
            fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        else:
            fits = isinstance(value, kind)
        if not fits:
            raise _error(self.where, path, f"is {_show(value)}", f"write {_TYPE_WORDS[kind]}")
        return value

    def inner(self, key: str) -> _Fields:
        return _Fields(self.get(key, dict), self.where, f"{self.prefix}{key}.")


def _show(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _error(where: str, key: str, what: str, fix: str) -> LogError:
    return LogError(f"{key} {what}" if what else key, where=where, fix=fix)
