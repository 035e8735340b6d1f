from __future__ import annotations

from understudy.types import Message
from understudy.users.relations import reply_relations


def test_every_relation_of_a_short_reply_by_hand() -> None:
    messages = (Message("user", "hi red"), Message("agent", "take green"))
    found = reply_relations("want red", messages, Message("user", "red please", end=True))
    assert found == {
        "word:red:10": 1.0,  # in the goal, not in the last message
        "own:red:101": 1.0,  # and said before
        ":101": 0.5,
        "word:please:00": 1.0,
        "own:please:000": 1.0,
        ":000": 0.5,
        **{f"lacks:{word}:{other}": 0.5 for word in ("red", "please") for other in ("want", "red")},
        **{f"adds:{word}:{other}": 0.5 for word in ("red", "please") for other in ("take", "green")},
        "end:1": 1.0,
        "end:1:lacking 2": 1.0,
        "end:1:added 2": 1.0,
        "end:1:turn 1": 1.0,
        **{f"end:1:lacks:{other}": 1.0 for other in ("want", "red")},
        **{f"end:1:adds:{other}": 1.0 for other in ("take", "green")},
        "length:2": 1.0,
    }


def test_the_agents_last_message_is_compared_and_not_an_earlier_one() -> None:
    earlier = (Message("agent", "take red"), Message("user", "no"), Message("agent", "take green"))
    assert "word:red:10" in reply_relations("red", earlier, Message("user", "red"))
    assert "word:red:11" in reply_relations("red", earlier[:2], Message("user", "red"))


def test_each_part_of_what_is_shown_is_related_to_each_word_and_to_the_end() -> None:
    messages = (Message("agent", "i take all", shown="offered 0 ; asked 7"),)
    found = reply_relations("red", messages, Message("user", "no bye", end=True))
    related = {name: value for name, value in found.items() if "shown" in name}
    assert related == {
        **{f"shown:{word}:{part}": 0.5 for word in ("no", "bye") for part in ("offered 0", "asked 7")},
        **{f"end:1:shown:{part}": 1.0 for part in ("offered 0", "asked 7")},
    }


def test_an_opening_and_a_wordless_end_have_relations() -> None:
    assert reply_relations("red", (), Message("user", "red"))["end:0:turn 0"] == 1.0
    assert reply_relations("red", (), Message("user", "", end=True))["length:0"] == 1.0
