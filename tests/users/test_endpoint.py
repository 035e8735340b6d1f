"""A prompted LLM behind an endpoint that fails in every way: no dialogue is lost, none is scored for the endpoint's faults."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import ColourFamily
from fake_endpoint import FAULTS, REFUSALS, TIMEOUT, Server, serve
from understudy.config import EndpointConfig
from understudy.converse import Appointment, converse
from understudy.endpoint.answers import Answer, AnswerStore
from understudy.endpoint.client import BudgetSpent, Refused
from understudy.errors import ConfigError
from understudy.speaker import Failure, Request
from understudy.types import Message
from understudy.users.endpoint import BEGIN, LEAVE, EndpointSpeaker

pytestmark = pytest.mark.enable_socket


@pytest.fixture
def server() -> Iterator[Server]:
    yield from serve(Server())


@pytest.fixture
def faulty() -> Iterator[Server]:
    yield from serve(Server(share=0.2, kinds=FAULTS))


def speaker(server: Server, folder: Path, **more: Any) -> EndpointSpeaker:
    config = EndpointConfig(
        model="m", base_url=f"http://127.0.0.1:{server.server_address[1]}/v1", pause_seconds=0.0,
        timeout_seconds=TIMEOUT, **more,
    )  # fmt: skip
    return EndpointSpeaker(config, "user", AnswerStore(folder / "answers.sqlite"))


class Seller:
    """The agent: names the colour that the user wants."""

    def reply(self, requests: list[Request]) -> list[Message | Failure]:
        return [Message("agent", f"take {request.messages[-1].text.split()[2]}") for request in requests]

    def finish(self, key: int) -> None:
        return None


def meetings(count: int) -> list[Appointment]:
    family = ColourFamily()
    tasks = [family.sample_task(np.random.default_rng(key), f"t{key}") for key in range(count)]
    return [Appointment(key, task, f"p{key}", key) for key, task in enumerate(tasks)]


def request(seed: int = 0, *messages: Message) -> Request:
    return Request(0, "user", "you want red", messages, seed=seed, goal={"colour": "red"})


@pytest.mark.slow
def test_a_thousand_dialogues_with_a_fifth_of_faults_are_all_accounted_for(faulty: Server, tmp_path: Path) -> None:
    user = speaker(faulty, tmp_path, retries=2)
    held = converse(ColourFamily(), meetings(1000), Seller(), user, width=200)  # type: ignore[arg-type]
    assert len(held.traces) + len(held.failures) == 1000
    assert all(dialogue.outcome.reward == 1.0 for dialogue in held.dialogues), "a fault is no reward of 0"
    # A refusal is that of one dialogue, which is not asked for again.
    refused = [failure for failure in held.failures if "refuses the request" in failure.reason]
    assert len(refused) == sum(faulty.faults[status] for status in REFUSALS)
    assert all("too much for the model's context" in failure.reason for failure in refused)
    # Three attempts fail with .2 ^ 3 = .8%, less where a refusal ends them: 25 of 1000 is 6 standard errors above.
    silent = [failure for failure in held.failures if failure not in refused]
    assert 0 < len(silent) < 25
    assert all("3 attempts" in failure.reason for failure in silent)
    assert set(faulty.faults) == set(FAULTS)
    assert min(faulty.faults.values()) > 15
    counts = user.client.counts
    spent = user.client.store.spent()
    assert counts["answered"] == len(held.traces) == spent.answers
    # An answer without words was billed as well.
    assert spent.prompt_tokens == 50 * (spent.answers + faulty.faults["no words"])
    assert (counts["failed"], counts["refused"]) == (len(held.failures), len(refused))
    assert counts["tried again"] == sum(faulty.faults.values()) - len(held.failures)
    # A run that goes on pays for what is missing alone.
    faulty.share = 0.0
    before = len(faulty.asked)
    again = speaker(faulty, tmp_path)
    whole = converse(ColourFamily(), meetings(1000), Seller(), again, width=200)  # type: ignore[arg-type]
    assert len(whole.traces) == 1000
    assert len(faulty.asked) - before == len(held.failures)
    assert again.client.counts["kept"] == len(held.traces)


def test_a_server_that_drips_is_waited_for_no_longer_than_one_that_is_silent(server: Server, tmp_path: Path) -> None:
    server.fault = lambda asked: "drips"  # type: ignore[method-assign]
    user = speaker(server, tmp_path, retries=1)
    began = time.monotonic()
    (answer,) = user.reply([request()])
    # The bytes of one answer would take some 25 seconds; two attempts take 2, and a busy machine some more.
    assert time.monotonic() - began < 6 * TIMEOUT
    assert isinstance(answer, Failure)
    assert "no whole answer from the endpoint in 1 seconds" in answer.reason
    assert user.client.counts["tried again"] == 1


def test_further_parameters_win_and_null_leaves_one_out(server: Server, tmp_path: Path) -> None:
    """As models that reason ask for, and servers of one's own."""
    more = {
        "max_tokens": None, "max_completion_tokens": 900, "temperature": 0.3, "top_k": 5,
        "chat_template_kwargs": {"enable_thinking": False, "budget": None},
    }  # fmt: skip
    speaker(server, tmp_path, parameters=more).reply([request()])
    (asked,) = server.asked
    assert {name: value for name, value in asked.items() if name != "messages"} == {
        "model": "m", "max_completion_tokens": 900, "temperature": 0.3, "top_k": 5,
        "chat_template_kwargs": {"enable_thinking": False, "budget": None},
    }  # fmt: skip
    # An answer is kept under them.
    speaker(server, tmp_path, parameters=more).reply([request()])
    assert len(server.asked) == 1
    speaker(server, tmp_path, parameters=more | {"top_k": 6}).reply([request()])
    speaker(server, tmp_path).reply([request()])
    assert len(server.asked) == 3
    assert (server.asked[2]["temperature"], server.asked[2]["max_tokens"]) == (1.0, 200)


def test_roles_are_reversed_and_the_goal_is_in_the_prompt_alone(server: Server, tmp_path: Path) -> None:
    said = (Message("user", "hi"), Message("agent", "yes ?", shown="3 left"))
    (answer,) = speaker(server, tmp_path).reply([request(0, *said)])
    assert answer == Message("user", "i want red please")
    (asked,) = server.asked
    assert [m["role"] for m in asked["messages"]] == ["system", "user", "assistant", "user"]
    assert "you want red" in asked["messages"][0]["content"]
    assert [m["content"] for m in asked["messages"][1:]] == [BEGIN, "hi", "yes ?\n(3 left)"]
    speaker(server, tmp_path).reply([request(1)])
    assert [m["content"] for m in server.asked[1]["messages"][1:]] == [BEGIN]


def test_leaving_is_a_mark_and_no_word(server: Server, tmp_path: Path) -> None:
    server.says = f"thanks {LEAVE}"
    (answer,) = speaker(server, tmp_path).reply([request()])
    assert answer == Message("user", "thanks", end=True)
    server.says = LEAVE
    (answer,) = speaker(server, tmp_path).reply([request(5)])
    assert answer == Message("user", "", end=True)


def test_the_budget_stops_the_run_and_keeps_what_was_paid_for(server: Server, tmp_path: Path) -> None:
    user = speaker(server, tmp_path, max_total_tokens=200, concurrency=1)
    with pytest.raises(BudgetSpent, match=r"220.00 of 200 \(max_total_tokens\)"):
        user.reply([request(seed) for seed in range(10)])
    assert user.client.store.spent().answers == 4  # 55 tokens each: the fourth went over
    dear = speaker(server, tmp_path, max_cost=0.001, price_in=1.0, price_out=10.0, concurrency=1)
    # 4 answers have cost (200 + 20 * 10) / 1e6 = .0004; each further one .0001.
    with pytest.raises(BudgetSpent, match="max_cost"):
        dear.reply([request(seed) for seed in range(100, 120)])
    assert dear.client.store.spent().answers == 10


def test_answers_that_earlier_versions_kept_are_found(server: Server, tmp_path: Path) -> None:
    """A run that goes on must not pay again: the key is part of the run folder's format."""
    user = speaker(server, tmp_path)
    system = resources.files("understudy.users").joinpath("prompts", "user.jinja").read_text("utf-8")
    system = system.replace("{{ goal }}", "you want red").replace("{{ leave }}", LEAVE).removesuffix("\n")
    messages = [{"role": "system", "content": system}, {"role": "user", "content": BEGIN}]
    asked = {"model": "m", "messages": messages, "temperature": 1.0, "max_tokens": 200}
    key = hashlib.sha256(json.dumps([asked, 7], sort_keys=True).encode()).hexdigest()
    user.client.store.put(key, Answer("kept", 50, 5))
    assert user.reply([request(7)]) == [Message("user", "kept")]
    assert server.asked == []


@pytest.mark.parametrize("status", ["401", "403", "404"])
def test_what_cannot_be_mended_by_trying_again_stops_at_once(status: str, server: Server, tmp_path: Path) -> None:
    user = speaker(server, tmp_path)
    user.reply([request(1)])
    server.fault = lambda asked: status  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=rf"refuses the request \({status}\)"):
        user.reply([request()])


@pytest.mark.parametrize("status", REFUSALS)
def test_a_refusal_is_that_of_one_dialogue_where_others_are_answered(
    status: str, server: Server, tmp_path: Path
) -> None:
    def refuse_the_long(asked: dict[str, Any]) -> str:
        return status if "very long" in asked["messages"][-1]["content"] else ""

    server.fault = refuse_the_long  # type: ignore[method-assign]
    long = request(2, Message("agent", "a very long story"))
    for user in (speaker(server, tmp_path), speaker(server, tmp_path)):  # the second goes on with the run of the first
        first, refused = user.reply([request(1), long])
        assert first == Message("user", "i want red please")
        assert isinstance(refused, Refused)
        assert f"refuses the request ({status})" in refused.reason
        assert "attempts" not in refused.reason
        assert (user.client.counts["refused"], user.client.counts["tried again"]) == (1, 0)
    # By itself as well: that others were answered is known from the file.
    assert isinstance(speaker(server, tmp_path).reply([long])[0], Refused)


@pytest.mark.parametrize("status", REFUSALS)
def test_where_no_request_was_ever_answered_a_refusal_is_of_the_set_up(
    status: str, server: Server, tmp_path: Path
) -> None:
    """A wrong parameter is refused in every request: that is one message, not a thousand failed dialogues."""
    server.fault = lambda asked: status  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match=rf"no request was ever answered: .*\({status}\)") as caught:
        speaker(server, tmp_path).reply([request(seed) for seed in range(5)])
    assert "check model" in caught.value.fix
    # One alone may have been refused for what it holds.
    assert isinstance(speaker(server, tmp_path).reply([request()])[0], Refused)


def test_a_failure_says_what_to_do_by_its_kind(server: Server, tmp_path: Path) -> None:
    user = speaker(server, tmp_path, retries=0)
    kinds = iter(["", "500", "no words", "400"])
    server.fault = lambda asked: next(kinds)  # type: ignore[method-assign]
    _, *failures = (user.reply([request(seed)])[0] for seed in range(4))
    for failure, what in zip(failures, ("--resume", "max_tokens", "context"), strict=True):
        assert isinstance(failure, Failure)
        assert what in failure.fix


def test_a_missing_key_or_prompt_is_said_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    store = AnswerStore(tmp_path / "a.sqlite")
    with pytest.raises(ConfigError, match="OPENAI_API_KEY is not set"):
        EndpointSpeaker(EndpointConfig(model="m"), "user", store)
    with pytest.raises(ConfigError, match="is no prompt"):
        EndpointSpeaker(EndpointConfig(model="m", base_url="http://x", prompt=tmp_path / "none.jinja"), "user", store)
    (tmp_path / "p.jinja").write_text("{{ gaol }}")
    with pytest.raises(ConfigError, match="gaol"):
        EndpointSpeaker(EndpointConfig(model="m", base_url="http://x", prompt=tmp_path / "p.jinja"), "user", store)
