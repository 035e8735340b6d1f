"""A judge behind an endpoint: scores by hand, answers that are no score, and a budget."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fake_endpoint import TIMEOUT, Server, serve
from understudy.config import InteractivityConfig
from understudy.endpoint.answers import AnswerStore
from understudy.endpoint.client import BudgetSpent
from understudy.errors import ConfigError
from understudy.evaluate.interactivity import InteractivityJudge, interactivity, read_score
from understudy.speaker import Failure
from understudy.types import Dialogue, Message, Outcome, Task


class Judge(Server):
    """Gives the score that the assistant names in the conversation; the first answers are what `first` holds."""

    def __init__(self, *first: str, share: float = 0.0) -> None:
        super().__init__(share)
        self.first = list(first)

    def answer(self, asked: dict[str, Any]) -> str:
        with self.lock:
            if self.first:
                return self.first.pop(0)
        (content,) = [m["content"] for m in asked["messages"]]
        (score,) = re.findall(r"^assistant: worth (\S+)$", content, re.MULTILINE)
        return json.dumps({"thought": "so it says", "interactivity": float(score)})


def serving(made: Judge) -> Iterator[Judge]:
    for running in serve(made):
        assert isinstance(running, Judge)
        yield running


def judge(server: Server, folder: Path, **more: Any) -> InteractivityJudge:
    config = InteractivityConfig(
        model="m", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1", pause_seconds=0.0,
        timeout_seconds=TIMEOUT, **more,
    )  # fmt: skip
    return InteractivityJudge(config, AnswerStore(folder / "scores.sqlite"))


def dialogue(worth: float, *more: Message) -> Dialogue:
    task = Task("colour", f"t{worth}", "the agent's prompt", "the user's goal", {"colour": "red"})
    messages = (Message("user", "i want red"), Message("agent", f"worth {worth}"), *more)
    return Dialogue(task, "p", messages, Outcome(0.0, "final"))


pytestmark = pytest.mark.enable_socket


def test_scores_and_their_mean_by_hand(tmp_path: Path) -> None:
    for server in serving(Judge()):
        scores = judge(server, tmp_path).scores([dialogue(worth) for worth in (0.25, 1, 0, 0.75)])
    assert scores == [0.25, 1, 0, 0.75]
    found = interactivity(scores, seed=0)
    assert (found.n, found.missing) == (4, 0)
    assert found.score is not None
    assert found.score.mean == 0.5
    assert 0 <= found.score.low < 0.5 < found.score.high <= 1


def test_the_judge_reads_what_was_heard_and_nothing_else(tmp_path: Path) -> None:
    secret = Message("user", "i take two", end=True, public="(chooses in private)")
    for server in serving(Judge()):
        judge(server, tmp_path).scores([dialogue(0.5, secret)])
        (asked,) = server.asked
    assert asked["temperature"] == 0
    (content,) = [m["content"] for m in asked["messages"]]
    lines = content[content.index("user: i want red") :].splitlines()
    assert lines[:3] == [
        "user: i want red",
        "assistant: worth 0.5",
        "user: (chooses in private) (ends the conversation)",
    ]
    for hidden in ("i take two", "the agent's prompt", "the user's goal"):
        assert hidden not in content


MALFORMED = (
    "0.5", "quite interactive", '{"interactivity": "high"}', '{"interactivity": 1.5}', '{"interactivity": -1}',
    '{"interactivity": true}', '{"interactivity": NaN}', '{"thought": "good"}', '[{"interactivity": 1}]',
    '{"interactivity": 1} or so', "",
)  # fmt: skip


@pytest.mark.parametrize("answer", MALFORMED)
def test_a_score_is_never_guessed(answer: str) -> None:
    with pytest.raises(ValueError, match=r"^it is no JSON|^its interactivity is"):
        read_score(answer)


@pytest.mark.parametrize(
    ("answer", "score"),
    [('{"thought": "t", "interactivity": 0.4}', 0.4), ('```json\n{"interactivity": 1}\n```', 1), ('{"interactivity": 0}', 0)],
)  # fmt: skip
def test_an_object_is_read_bare_or_fenced(answer: str, score: float) -> None:
    assert read_score(answer) == score


def test_malformed_answers_are_asked_for_again_and_then_missing_never_0(tmp_path: Path) -> None:
    for server in serving(Judge(*MALFORMED[:3])):
        asking = judge(server, tmp_path, retries=2, concurrency=1)
        first, second = asking.scores([dialogue(0.2), dialogue(0.8)])
        assert isinstance(first, Failure)
        assert re.search(r"cannot be used: its interactivity is 'high'.*\(3 attempts\)", first.reason)
        assert second == 0.8
        found = interactivity([first, second], seed=0)
        assert found.score is not None
        assert (found.score.mean, found.n, found.missing) == (0.8, 1, 1)
        # Four answers were paid for, of 55 tokens each; one of them can be used.
        spent = asking.client.store.spent()
        assert (spent.answers, spent.prompt_tokens, spent.completion_tokens) == (1, 200, 20)
        # Whoever goes on asks for what is missing alone.
        assert judge(server, tmp_path).scores([dialogue(0.2), dialogue(0.8)]) == [0.2, 0.8]
        assert len(server.asked) == 5
    assert interactivity([first, first], seed=0).to_json() == {"score": None, "n": 0, "missing": 2}


def test_one_malformed_answer_costs_a_second_attempt(tmp_path: Path) -> None:
    for server in serving(Judge("quite interactive")):
        assert judge(server, tmp_path).scores([dialogue(0.4)]) == [0.4]
        assert len(server.asked) == 2


def test_faults_of_the_endpoint_lose_no_score(tmp_path: Path) -> None:
    """A fifth of the answers are faults of every kind; ten attempts fail with .2 ^ 10."""
    worths = [i / 40 for i in range(41)]
    for server in serving(Judge(share=0.2)):
        assert judge(server, tmp_path, retries=9).scores([dialogue(worth) for worth in worths]) == worths
        assert sum(server.faults.values()) > 0


def test_the_budget_stops_and_keeps_the_scores(tmp_path: Path) -> None:
    dialogues = [dialogue(worth) for worth in (0.1, 0.2, 0.3, 0.4)]
    for server in serving(Judge()):
        with pytest.raises(BudgetSpent, match=r"110.00 of 100 \(max_total_tokens\)"):
            judge(server, tmp_path, max_total_tokens=100, concurrency=1).scores(dialogues)
        assert judge(server, tmp_path).scores(dialogues) == [0.1, 0.2, 0.3, 0.4]
        assert len(server.asked) == 4, "none is asked for twice"


def test_a_prompt_of_ones_own_is_checked_before_anything_is_asked(tmp_path: Path) -> None:
    (tmp_path / "p.jinja").write_text("{{ goal }}")
    config = InteractivityConfig(model="m", base_url="http://x", prompt=tmp_path / "p.jinja")
    with pytest.raises(ConfigError, match=r"'goal' is undefined(?s:.)*it may use messages"):
        InteractivityJudge(config, AnswerStore(tmp_path / "s.sqlite"))
