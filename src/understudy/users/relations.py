"""How a user's reply relates to what the user wants and to what was said, as named counts. Nothing here is fitted.

A word is told apart by where else it stands: in the goal, in the agent's last message, in what the user said before. So
a reply that asks for a thing that the last message already has looks different from one that asks for a missing thing.
No word has a meaning here, and no family is known: what matters is learned (`understudy.align.residual`).
"""

from __future__ import annotations

from collections.abc import Sequence

from understudy.types import Message

_MANY = 6


def reply_relations(goal: str, messages: Sequence[Message], reply: Message) -> dict[str, float]:
    """Relations of a user's reply, by name.

    * `word:w:gl` for each word w of the reply: whether it is in the goal (g) and in the agent's last message (l), 0 or 1;
      `own:w:gls` says also whether the user said it before (s), and `:gls` leaves out which word it is;
    * `lacks:w:v` and `adds:w:v`: the last message lacks the goal's word v, or adds a word v that the goal has not;
    * `shown:w:p`: the interface shows p (`offered four`, one of the parts between `;`) beside the last message;
    * `end:e:...`: whether the reply ends the dialogue (e), by how many words are lacking or added, by which, by what is
      shown, and by how often the user has spoken; `length:n`.

    Pairs of words and plain relations weigh half, so that one penalty suits them and the single words, which are fewer.

    Args:
        goal: the user's prompt.
        messages: what was said before the reply.
    """
    wanted = set(goal.split())
    spoken = [m for m in messages if m.role == "user"]
    heard = next((m for m in reversed(messages) if m.role == "agent"), Message("agent", ""))
    last, shown = set(heard.heard.split()), [part.strip() for part in heard.shown.split(";") if part.strip()]
    said = {word for m in spoken for word in m.text.split()}
    lacking, added = sorted(wanted - last), sorted(last - wanted)
    found: dict[str, float] = {}
    words = list(dict.fromkeys(reply.text.split()))
    for word in words:
        place = f"{word in wanted:d}{word in last:d}"
        found[f"word:{word}:{place}"] = 1.0
        place += f"{word in said:d}"
        found[f"own:{word}:{place}"] = 1.0
        found[f":{place}"] = found.get(f":{place}", 0.0) + 0.5
        for other in lacking:
            found[f"lacks:{word}:{other}"] = 0.5
        for other in added:
            found[f"adds:{word}:{other}"] = 0.5
        for part in shown:
            found[f"shown:{word}:{part}"] = 0.5
    end = f"end:{reply.end:d}"
    found[end] = 1.0
    found[f"{end}:lacking {min(len(lacking), _MANY)}"] = 1.0
    found[f"{end}:added {min(len(added), _MANY)}"] = 1.0
    found[f"{end}:turn {len(spoken)}"] = 1.0
    for other in lacking:
        found[f"{end}:lacks:{other}"] = 1.0
    for other in added:
        found[f"{end}:adds:{other}"] = 1.0
    for part in shown:
        found[f"{end}:shown:{part}"] = 1.0
    found[f"length:{min(len(words), 2 * _MANY)}"] = 1.0
    return found
