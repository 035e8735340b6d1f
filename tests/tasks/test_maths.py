"""Word problems told bit by bit: what is read, who tells what when, what is right; on problems written for the purpose."""

from __future__ import annotations

import asyncio
import math
import os
import time
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare

from understudy.errors import ConfigError, LogError
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.tasks import is_known, load_family
from understudy.tasks.base import Check, FinalAct
from understudy.tasks.maths import Maths, answers
from understudy.tasks.maths.answers import is_right
from understudy.tasks.maths.family import AGENT_PROMPT, OTHER_NUMBER, final_answer
from understudy.tasks.maths.population import LEAVING, NOTHING_MORE, Patience, People
from understudy.tasks.maths.problems import Problem, read_problems
from understudy.tasks.prose import sentences
from understudy.types import Message, Task

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "gsm8k"
GIVEN = ["Ida has 1,200 stamps.", "Each of them costs $2.50.", "She sells half of the stamps to Mr. Holm."]
ASKED = "How many stamps are left?"
TASK = Task(
    "maths",
    "t",
    AGENT_PROMPT,
    f"your problem : {' '.join(GIVEN)} {ASKED}",
    {"given": GIVEN, "asked": ASKED, "answer": "600"},
)
FAMILY = Maths([])


def said(*texts: str, end: bool = False) -> tuple[Message, ...]:
    made = [Message("agent" if i % 2 else "user", text) for i, text in enumerate(texts)]
    return (*made[:-1], Message(made[-1].role, made[-1].text, end)) if end else tuple(made)


def test_a_problem_is_cut_at_its_sentences_and_nowhere_else() -> None:
    assert sentences(f"{' '.join(GIVEN)}  {ASKED}\n") == [*GIVEN, ASKED]


def test_reading_the_folder(tmp_path: Path) -> None:
    train = read_problems(FIXTURE, "train")
    assert len(train) == 40
    assert all(len(p.given) == 3 and p.asked.endswith("?") and p.answer.isdigit() for p in train)
    file = tmp_path / "train.jsonl"
    with pytest.raises(LogError, match="holds no part 'train'"):
        Maths.from_folder(tmp_path)
    for line, message in (
        ("{", "is "),
        ('{"question": "How many?"}', "has neither"),
        ('["A. B?"]', "has neither"),
        ('{"question": " ", "answer": "#### 1"}', "empty question"),
        ('{"question": "A. B?", "answer": "1"}', "no answer after ####"),
        ('{"problem": "A. B?", "solution": "so \\\\boxed{1"}', "no answer after ####"),
    ):
        file.write_text(f'\n{{"question": "A is 1. B?", "answer": "#### 1,000"}}\n{line}\n')
        with pytest.raises(LogError, match=message) as caught:
            read_problems(tmp_path, "train")
        assert str(caught.value).startswith(f"{file}:3: ")
    file.write_text(
        '{"question": "A is 1. B?", "answer": "#### 1,000"}\n{"question": "How many?", "answer": "#### 1"}\n'
    )
    (only,) = read_problems(tmp_path, "train")
    assert (only.given, only.asked, only.answer) == (("A is 1.",), "B?", "1000")
    file.write_text('{"question": "How many?", "answer": "#### 1"}\n')
    with pytest.raises(LogError, match="no problem of two sentences"):
        read_problems(tmp_path, "train")


def test_the_problems_of_math_are_read_by_name_and_from_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    rows = [
        {
            "problem": "Let $x=2$. What is $1/x$?",
            "solution": r"First \boxed{7}? No: \boxed{\frac{1}{2}}.",
            "level": "Level 1",
        },
        {"problem": "What is $2+2$?", "solution": r"\boxed{4}", "level": "Level 1"},
    ]
    for part in ("train", "test"):
        datasets.Dataset.from_list(rows).to_parquet(str(tmp_path / f"{part}-00000-of-00001.parquet"))
    (problem,) = Maths.from_folder(tmp_path).problems
    assert problem == Problem(("Let $x=2$.",), "What is $1/x$?", r"\frac{1}{2}")
    asked = []

    def load(name: str, config: str | None, *, split: str, streaming: bool) -> list[dict[str, str]]:
        asked.append((name, config, split))
        return rows

    monkeypatch.setattr(datasets, "load_dataset", load)
    assert Maths.from_folder(Path("hub:someone/math")).held_out == (problem,)
    Maths.from_folder(Path("hub:openai/gsm8k:main"))
    assert asked == [
        ("someone/math", None, "train"), ("someone/math", None, "test"),
        ("openai/gsm8k", "main", "train"), ("openai/gsm8k", "main", "test"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        ("1/2", r"\frac{1}{2}", True), ("$\\frac12$ .", r"\frac{1}{2}", True), (r"\frac{1}{3}", r"\frac{1}{2}", False),
        ("(3, 4)", "(3,4)", True), ("(4, 3)", "(3,4)", False), (r"2\sqrt{3}", r"2\sqrt{3}", True),
        ("x^2 + 1", "1+x^2", True), ("x^2", "1+x^2", False),
    ],
)  # fmt: skip
def test_answers_of_math_are_latex(answer: str, truth: str, right: bool) -> None:
    assert is_right(answer, truth) == right


def test_people_tell_what_is_asked_for_one_sentence_at_a_time() -> None:
    people = People()

    def told(*texts: str, patience: int = 8) -> set[tuple[str, bool]]:
        replies = people.reply(TASK, said(*texts), Patience(patience))
        rng = np.random.default_rng(0)
        found = Counter(replies.sample(rng) for _ in range(600))
        for reply, count in found.items():
            p = replies.probability(reply)
            assert abs(count / 600 - p) < 4 * (p * (1 - p) / 600) ** 0.5 + 1e-9
        return {(reply.text, reply.end) for reply in found}

    assert told() == {(ASKED, False), (f"hi , can you help me ? {ASKED}", False)}
    assert told(ASKED, "how much does each cost ?") == {(f"{b}{GIVEN[1]}", False) for b in ("", "oh , ", "yes : ")}
    # What was told is not told again; asked for nothing in particular, the first that is left.
    assert told(ASKED, "how much does each cost ?", GIVEN[1], "go on ?") == {
        (f"{b}{GIVEN[0]}", False) for b in ("", "oh , ", "yes : ")
    }
    everything = (ASKED, "go on ?", GIVEN[0], "go on ?", GIVEN[1], "go on ?", GIVEN[2], "and ?")
    assert told(*everything) == {(text, False) for text in NOTHING_MORE}
    # Four messages are borne, and one without a question counts twice.
    assert told(*everything, NOTHING_MORE[0], "and ?", patience=4) == {(text, True) for text in LEAVING}
    assert told(ASKED, "hm", GIVEN[0], "hm", GIVEN[1], "hm", patience=4) == {(text, True) for text in LEAVING}


HISTORIES = {
    "opening": (),
    "asked": said(ASKED, "how much does each cost ?"),
    "talk": said(ASKED, "hm"),
    "some told": said(ASKED, "go on ?", GIVEN[0], "hm", f"oh , {GIVEN[2]}", "and what does each cost ?"),
    "all told": said(ASKED, "go on ?", GIVEN[0], "go on ?", GIVEN[1], "go on ?", GIVEN[2], "and ?"),
    "five": said(ASKED, "a ?", GIVEN[0], "b ?", GIVEN[1], "c ?", GIVEN[2], "d ?", NOTHING_MORE[0], "e ?"),
    "seven": said(ASKED, "a", GIVEN[0], "b", GIVEN[1], "c", GIVEN[2], "d ?"),
    "odd user": said("", "a ?", f"{GIVEN[1]} {GIVEN[0]}", "<|end|>\n ?"),
}


def assert_fits(draws: Sequence[Hashable], probability: Mapping[Hashable, float]) -> None:
    """Chi-square, over all that can come: each was seen. 27 tests are run at 1e-5 each, so that a right implementation fails
    once in 3,700 choices of the seeds (which are fixed)."""
    counts = Counter(draws)
    assert counts.keys() == probability.keys()
    assert sum(probability.values()) == pytest.approx(1, abs=1e-9)
    if len(counts) > 1:
        wanted = [len(draws) * p for p in probability.values()]
        assert min(wanted) >= 5
        assert chisquare([counts[reply] for reply in probability], wanted).pvalue > 1e-5


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("patience", [4, 6, 8])
def test_frequencies_match_probabilities(history: str, patience: int) -> None:
    replies = People().reply(TASK, HISTORIES[history], Patience(patience))
    rng = np.random.default_rng(7)
    draws = [replies.sample(rng) for _ in range(600)]
    assert_fits(draws, {reply: replies.probability(reply) for reply in draws})
    assert replies.probability(Message("user", "no such words")) == 0
    assert all(replies.probability(replace(reply, end=not reply.end)) == 0 for reply in set(draws))


def test_personas_come_at_their_shares() -> None:
    people = People()
    assert_fits([people.persona(f"person-{n}") for n in range(3000)], dict(people.personas()))


def test_the_marginal_is_the_frequency_over_persons() -> None:
    """Three in ten leave at the fifth question; of those who bore six messages, four in seven leave at the seventh."""
    people = People()
    for history, borne, left in (("five", 4, 0.3), ("seven", 6, 4 / 7)):
        before = HISTORIES[history]
        everyone = (people.persona(f"person-{n}") for n in range(3000))
        there = [who for who in everyone if isinstance(who, Patience) and who.messages >= borne]
        rng = np.random.default_rng(7)
        draws = [people.reply(TASK, before, who).sample(rng) for who in there]
        chance = {reply: math.exp(people.log_prob_marginal(TASK, (*before, reply))[-1]) for reply in draws}
        assert sum(p for reply, p in chance.items() if reply.end) == pytest.approx(left)
        assert_fits(draws, chance)


@pytest.mark.parametrize(
    ("answer", "right"),
    [("600", True), ("600.0 stamps", True), ("$600", True), ("1200/2", True), ("60", False), ("", False)],
)
def test_what_is_right(answer: str, right: bool) -> None:
    text = f"so it is clear . final answer : {answer}"
    messages = said(ASKED, text)
    assert final_answer(text) == answer
    assert is_right(answer, "600") == right
    assert FAMILY.ending(TASK, messages) == "final"
    outcome = FAMILY.outcome(TASK, messages, "final")
    assert (outcome.reward, outcome.details["told"]) == (float(right), 0)
    assert FAMILY.final_act(TASK, messages) == FinalAct(1, "final answer :")
    assert FAMILY.final_act_reward(TASK, messages, 1, f"final answer : {answer}") == float(right)


def test_answers_are_checked_from_any_thread() -> None:
    """As verl's agent loops do: coroutines in a thread of an actor that is not the main one."""

    async def reward(answer: str) -> float:
        return FAMILY.outcome(TASK, said(ASKED, f"final answer : {answer}"), "final").reward

    async def rewards() -> list[float]:
        return await asyncio.gather(*(reward(answer) for answer in ("600", "7", "1200/2")))

    with ThreadPoolExecutor(4) as threads:
        assert threads.submit(lambda: asyncio.run(rewards())).result(60) == [1, 0, 1]
        # Each thread is given the answer to its own question.
        numbers = [str(n) for n in range(590, 610)] * 3
        assert list(threads.map(lambda n: is_right(n, "600"), numbers)) == [n == "600" for n in numbers]


@pytest.fixture
def little_time(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(answers, "SECONDS", 0.5)
    answers._checker.cache_clear()  # a new process, which is given so much
    yield
    answers._checker.cache_clear()


@pytest.mark.parametrize("hostile", ["9**9**9**9", "9^{9^{9^9}}", "(99999!)!", f"{'(' * 2000}1{')' * 2000}"])
def test_what_would_take_forever_is_wrong_and_soon(hostile: str, little_time: None) -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(is_right, hostile, "600").result() is False
        assert is_right("600", "600"), "the next one is checked as if nothing had been"
    # Two processes are started and half a second is waited: 2 s on an idle machine.
    assert time.monotonic() - start < 60


def test_a_checker_that_was_killed_is_started_again() -> None:
    assert is_right("600", "600")
    process = answers._checker(os.getpid())._process
    assert process is not None
    process.kill()
    process.wait()
    assert is_right("600", "600")


def test_math_verify_may_be_lacking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "math_verify.py").write_text("raise ImportError('no math_verify here')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    answers._checker.cache_clear()
    with pytest.raises(ConfigError, match=r"not installed \(no math_verify here\)") as caught:
        Maths.from_folder(FIXTURE)
    assert "[maths]" in caught.value.fix
    monkeypatch.undo()
    assert is_right("1", "1"), "once it is there, it is found"


def test_leaving_earns_nothing_and_numbers_of_ones_own_are_contradictions() -> None:
    messages = said(ASKED, "go on ?", GIVEN[0], "go on ?", "there are 7 of them", "go on ?", LEAVING[0], end=True)
    assert FAMILY.ending(TASK, messages) == "left"
    assert FAMILY.outcome(TASK, messages, "left").reward == 0
    assert FAMILY.coherence(TASK, messages) == [Check(OTHER_NUMBER, False), Check(OTHER_NUMBER, True)]
    assert [FAMILY.act(TASK, m) for m in messages] == [
        "asks its question", "asks", "tells [0]", "asks", "talks", "asks", "leaves"
    ]  # fmt: skip


def test_it_is_a_family_of_known_users_that_needs_a_folder() -> None:
    assert is_known("maths")
    with pytest.raises(ConfigError, match="needs a folder"):
        load_family("maths")
    family = known_family("maths", FIXTURE)
    logs = known_logs(family, 60, 20, seed=0)
    assert {d.outcome.ending for d in logs} == {"final", "left"}
    for dialogue in logs:
        assert not any(check.violated for check in family.coherence(dialogue.task, dialogue.messages))
        assert all(np.isfinite(family.population.log_prob_marginal(dialogue.task, dialogue.messages)))
    training, judging = (
        {f.sample_task(np.random.default_rng(i), "t").user_prompt for i in range(60)}
        for f in (load_family("maths", FIXTURE), load_family("maths", FIXTURE).for_judging())  # type: ignore[attr-defined]
    )
    assert not training & judging
