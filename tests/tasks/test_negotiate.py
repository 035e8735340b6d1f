"""The closing, its rewards, the corpus as dialogues, the stand-in, and the task."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from understudy.dialogue import dialogue
from understudy.errors import LogError
from understudy.logs.read import conversations
from understudy.tasks.base import Check, FinalAct
from understudy.tasks.negotiate import Negotiate, Scenario, load_corpus, renamed
from understudy.tasks.negotiate.closing import MALFORMED, TOO_MANY
from understudy.tasks.negotiate.items import Selection, is_pareto, make_task, read_selection, scenario_of
from understudy.tasks.negotiate.prompted import PATIENCE
from understudy.types import Dialogue, Message, Outcome

ROOT = Path(__file__).resolve().parents[2]
FIXTURE = ROOT / "tests" / "fixtures" / "deal_or_no_deal"
REAL = Path(os.environ.get("UNDERSTUDY_DATA") or ROOT.parent / "shared" / "data") / "deal_or_no_deal"

SCENARIO = Scenario((1, 3, 1), (2, 1, 5), (1, 3, 0))
TASK = make_task("negotiate", "t", SCENARIO, opener="agent")
FAMILY = Negotiate([SCENARIO])


def said(*texts: str) -> tuple[Message, ...]:
    """Messages in turn, the agent's first."""
    return tuple(Message("agent" if i % 2 == 0 else "user", text) for i, text in enumerate(texts))


def replay(one: Dialogue) -> Dialogue:
    """The logged messages, through the turn logic."""
    turns = dialogue(FAMILY, one.task, one.person)
    next(turns)
    try:
        for message in one.messages:
            turns.send(message)
    except StopIteration as finished:
        result: Dialogue = finished.value
        return result
    raise AssertionError("the dialogue did not end with its last message")


def test_each_side_is_told_its_own_values_only() -> None:
    assert TASK.agent_prompt == "book 1 worth 2 ; hat 3 worth 1 ; ball 1 worth 5"
    assert TASK.user_prompt == "book 1 worth 1 ; hat 3 worth 3 ; ball 1 worth 0"
    assert TASK.goal == {"counts": [1, 3, 1], "agent_values": [2, 1, 5], "user_values": [1, 3, 0]}


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("<selection> 1 0 2", Selection((1, 0, 2))),
        (" <SELECTION>  1 0  12 ", Selection((1, 0, 12))),
        ("<selection> none", Selection(None)),
        ("<selection>", Selection(None, malformed=True)),
        ("<selection> 1 0", Selection(None, malformed=True)),
        ("<selection> 1 0 -2", Selection(None, malformed=True)),
        ("<selection> 1 0 2 please", Selection(None, malformed=True)),
        ("i say <selection> 1 0 2", None),
        ("", None),
    ],
)
def test_reading_a_selection(text: str, read: Selection | None) -> None:
    assert read_selection(text) == read


@pytest.mark.parametrize(
    ("texts", "ending", "reward", "user_points"),
    [
        (["hi", "hi"], None, 0, 0),
        (["<selection> 1 0 1"], None, 0, 0),
        (["<selection> 1 0 1", "<selection> 0 3 0"], "agreed", 0.7, 9),
        (["the ball ?", "<selection> 1 3 0", "<selection> 0 0 1"], "agreed", 0.5, 10),
        (["<selection> 1 3 1", "<selection> 0 0 0"], "agreed", 1.0, 0),
        (["<selection> 1 0 1", "<selection> 0 2 0"], "mismatch", 0, 0),
        (["<selection> 1 0 1", "<selection> 1 3 0"], "mismatch", 0, 0),
        (["<selection> 9 0 1", "<selection> 0 3 0"], "mismatch", 0, 0),
        (["<selection> 1 0 1", "wait , what ?"], "mismatch", 0, 0),
        (["<selection> 1 0", "<selection> 0 3 0"], "mismatch", 0, 0),
        (["<selection> none", "what ?"], "mismatch", 0, 0),
        (["<selection> 1 0 1", "<selection> none"], "no deal", 0, 0),
        (["<selection> none", "<selection> none"], "no deal", 0, 0),
    ],
)
def test_endings_and_rewards(texts: list[str], ending: str | None, reward: float, user_points: float) -> None:
    messages = said(*texts)
    assert FAMILY.ending(TASK, messages) == ending
    if ending is not None:
        outcome = FAMILY.outcome(TASK, messages, ending)
        assert (outcome.reward, outcome.ending) == (reward, ending)
        assert outcome.details["user_points"] == user_points
        assert outcome.details["agreed"] == (ending == "agreed")


def test_out_of_turns_earns_nothing() -> None:
    talk = said(*["hm", "hm"] * (FAMILY.max_agent_turns - 1), "<selection> 1 3 1")
    over = replay(Dialogue(TASK, "p", talk, Outcome(0.0, "")))
    assert over.outcome == Outcome(0.0, "turns", {"user_points": 0.0, "agreed": 0.0, "pareto": 0.0})


def test_pareto_by_hand() -> None:
    scenario = Scenario((1, 1, 2), (4, 2, 2), (2, 6, 1))
    # 4 + 2*2 = 8 against 6: the agent could get more only by the hat, which costs the user 6.
    assert is_pareto((1, 0, 2), scenario)
    # 2 + 2*2 = 6 against 2: book for hat gives 8 against 6.
    assert not is_pareto((0, 1, 2), scenario)
    # The ball is worth nothing to the other: leaving it there helps nobody.
    assert not is_pareto((1, 0, 0), SCENARIO)
    # Worthless to both, so it may lie anywhere.
    assert is_pareto((0, 0, 1), Scenario((1, 1, 1), (0, 5, 5), (0, 6, 4)))


def test_final_act_is_the_agents_selection_where_the_users_is_known() -> None:
    answered = said("the ball ?", "<selection> 1 2 0", "<selection> 0 1 1")
    assert FAMILY.final_act(TASK, answered) == FinalAct(2, "<selection>")
    assert FAMILY.final_act_reward(TASK, answered, 2, "<selection> 0 1 1") == 0.6
    assert FAMILY.final_act_reward(TASK, answered, 2, "<selection> 0 2 1") == 0.0
    assert FAMILY.final_act_reward(TASK, answered, 2, "<selection> none") == 0.0
    assert FAMILY.final_act_reward(TASK, answered, 2, "<selection>") == 0.0
    assert FAMILY.final_act_reward(TASK, answered, 0, "<selection> 0 1 1") is None
    opened = said("the ball ?", "ok", "<selection> 1 0 1", "<selection> 1 3 0")
    assert FAMILY.final_act(TASK, opened) == FinalAct(2, "<selection>")
    assert FAMILY.final_act_reward(TASK, opened, 2, "<selection> 0 0 1") == 0.5
    assert FAMILY.final_act_reward(TASK, opened, 2, "<selection> 1 0 1") == 0.0


@pytest.mark.parametrize(
    "texts",
    [
        ["hi", "hi"],
        ["the ball ?", "ok", "<selection> 1 0 1"],
        ["the ball ?", "<selection> none", "<selection> 0 0 1"],
        ["<selection> 0 0 1", "<selection> none"],
        ["<selection> 0 0 1", "<selection> all"],
        ["<selection> 0 0 1", "why ?"],
        ["the ball ?", "<selection> 1 3 0", "why ?"],
    ],
)
def test_no_final_act_where_nothing_can_be_learned(texts: list[str]) -> None:
    assert FAMILY.final_act(TASK, said(*texts)) is None
    assert FAMILY.final_act_reward(TASK, said(*texts), 0, "<selection> 0 0 1") is None


@pytest.mark.parametrize(
    ("texts", "checks"),
    [
        (["hi", "hi"], []),
        (["hi", "<selection> 1 4 0"], [Check(MALFORMED, False), Check(TOO_MANY, True)]),
        (["hi", "<selection> 1 3"], [Check(MALFORMED, True)]),
        (["hi", "<selection> none"], [Check(MALFORMED, False)]),
        (["<selection> 1 0 1", "<selection> 1 3 0"], [Check(MALFORMED, False), Check(TOO_MANY, False)]),
        (["<selection> 1 0 1", "why ?"], []),
    ],
)
def test_coherence_of_the_users_closing(texts: list[str], checks: list[Check]) -> None:
    assert FAMILY.coherence(TASK, said(*texts)) == checks


def replies(*texts: str) -> set[Message]:
    return {
        Message("user", option.text.sample(np.random.default_rng(0)), option.end)
        for option in FAMILY.prompted_reply(TASK, said(*texts)).options
    }


def test_the_stand_in_agrees_to_anything_and_gives_what_is_asked() -> None:
    assert {m.end for m in replies()} == {False}
    greedy = replies("i want everything or i walk .")
    assert len(greedy) > 2
    assert all(read_selection(m.text) is None and not m.end for m in greedy)
    asked = ("i want the book and the ball", "deal")
    # What is selected is not shown to it: what was said counts, and who said nothing gets everything.
    for selected in ("<selection> 1 0 1", "<selection> 0 0 0", "<selection> none", "<selection> what"):
        assert replies(*asked, selected) == {Message("user", "<selection> 0 3 0")}
        assert replies(selected) == {Message("user", "<selection> 0 0 0")}


def test_the_stand_in_closes_by_itself_after_some_messages() -> None:
    talk = ["i want two hats and the ball", "ok", *["sounds good", "deal"] * (PATIENCE - 1)]
    assert all(read_selection(m.text) is None for m in replies(*talk[: 2 * PATIENCE - 3]))
    assert replies(*talk[: 2 * PATIENCE - 1]) == {Message("user", "<selection> 1 1 0")}
    assert replies(*["hm", "ok"] * (PATIENCE - 1), "hm") == {Message("user", "<selection> 0 0 0")}


def test_a_selection_is_private_whoever_makes_it() -> None:
    turns = dialogue(FAMILY, TASK, "p")
    next(turns)
    turns.send(Message("agent", "the ball ?"))
    asked, messages = turns.send(Message("user", "<selection> 1 3 0"))
    assert asked == "agent"
    assert messages[-1] == Message("user", "<selection> 1 3 0", shown="your part 0 0 1", public="<selection>")
    assert [m.heard for m in messages] == ["the ball ?", "<selection>"]
    with pytest.raises(StopIteration) as over:
        turns.send(Message("agent", "<selection> 0 0 1"))
    assert over.value.value.outcome.reward == 0.5


def test_renaming_changes_names_and_places_and_nothing_else() -> None:
    one = load_corpus(FIXTURE, seed=0).validation[0]
    others = renamed(one)
    assert len(others) == 5
    assert len({other.task.user_prompt for other in (one, *others)}) > 1
    for other in others:
        assert replay(other) == other, "the same ending, rewards and privacy"
        assert other.outcome == one.outcome
        assert (other.task.id, other.person) == (one.task.id, one.person)
        assert [len(m.text.split()) for m in other.messages] == [len(m.text.split()) for m in one.messages]
    # books -> hats, hats -> balls, balls -> books; then the same way on, and back again.
    texts = {tuple(m.text for m in other.messages) for other in others}
    assert len(texts) == 5
    assert any("the book for me please" in said for said in texts)
    assert one in [back for other in others for back in renamed(other)]


def test_what_an_interface_does_not_show_it_does_not_show_renamed_either() -> None:
    one = next(d for d in load_corpus(FIXTURE, seed=0).validation if any(m.shown for m in d.messages))
    assert all(any(m.shown for m in other.messages) for other in renamed(one))
    words = replace(one, messages=tuple(replace(m, shown="") for m in one.messages))
    assert not any(m.shown for other in renamed(words) for m in other.messages)


def test_a_logged_dialogue_by_hand() -> None:
    """Line 1 of the fixture's validation part: the first speaker wants ball and hat, and the second closes..."""
    corpus = load_corpus(FIXTURE, seed=0)
    one = corpus.validation[0]
    first, second = ("agent", "user") if one.task.opener == "agent" else ("user", "agent")
    assert [(m.role, m.text) for m in one.messages] == [
        (first, "the ball for me please"),
        (second, "take it . book and hats are mine ?"),
        (first, "one hat for me ."),
        (second, "deal"),
        (first, "<selection> 0 1 1"),
        (second, "<selection> 1 2 0"),
    ]
    points = {first: 6, second: 8}
    assert one.outcome.reward == points["agent"] / 10
    assert one.outcome.details["user_points"] == points["user"]


def test_logs_replay_and_sides_are_a_seeded_coin() -> None:
    corpus = load_corpus(FIXTURE, seed=0)
    # 24 negotiations in training, one of them disconnected, each seen from both sides.
    assert (len(corpus.train), len(corpus.validation)) == (46, 6)
    assert conversations(corpus.train) == 23
    for one, other in zip(corpus.train[::2], corpus.train[1::2], strict=True):
        assert {one.task.opener, other.task.opener} == {"agent", "user"}
        assert [m.text for m in one.messages] == [m.text for m in other.messages]
        assert one.task.agent_prompt == other.task.user_prompt
    for one in (*corpus.train, *corpus.validation):
        assert replay(one) == one
    assert [d.outcome.ending for d in corpus.train].count("no deal") == 4
    assert load_corpus(FIXTURE.parent, seed=0) == corpus
    openers = {tuple(d.task.opener for d in load_corpus(FIXTURE, seed).validation) for seed in range(8)}
    assert len(openers) > 3
    assert len({d.person for d in (*corpus.train, *corpus.validation)}) == 29


def test_a_dialogue_too_long_for_the_agent_is_left_out(tmp_path: Path) -> None:
    def lines(length: int) -> str:
        texts = [*("hm" for _ in range(length)), "<selection>"]
        told = []
        for me in (0, 1):
            words = " <eos> ".join(f"{'YOU' if i % 2 == me else 'THEM'}: {text}" for i, text in enumerate(texts))
            told.append(
                f"<input> 1 2 3 1 1 5 </input> <dialogue> {words} </dialogue> <output> {' '.join(['<disagree>'] * 6)} "
                "</output> <partner_input> 1 2 3 1 1 5 </partner_input>\n"
            )
        return "".join(told)

    # With 19 messages before the closing the second speaker selects as its 10th; as the agent it would be out of turns
    # before the first speaker's answer, which is the 11th message of that side: too long whoever is the agent.
    # With 18 the first speaker selects as its 10th and the second answers as its 10th: fine if the second is the agent.
    for name in ("val.txt", "selfplay_scenarios.txt"):
        (tmp_path / name).write_text((FIXTURE / name).read_text())
    for length, kept in ((17, {"agent", "user"}), (18, {"user"}), (19, set())):
        (tmp_path / "train.txt").write_text(lines(length) * 12)
        train = load_corpus(tmp_path, seed=0).train
        assert {d.task.opener for d in train} == kept
        for one in train:
            assert replay(one) == one


def test_training_scenarios_hold_nothing_of_the_validation_part() -> None:
    family = Negotiate.from_folder(FIXTURE)
    # Of 18 scenarios two are contexts of the validation part.
    assert (len(family.scenarios), len(family.held_out)) == (16, 6)
    assert not {s.sides for s in family.scenarios} & {s.sides for s in family.held_out}
    judging = family.for_judging()
    rng = np.random.default_rng(0)
    tasks = [judging.sample_task(rng, f"t-{i}") for i in range(200)]
    drawn = {(tuple(t.goal["counts"]), tuple(t.goal["agent_values"]), tuple(t.goal["user_values"])) for t in tasks}
    expected = {(s.counts, s.values, s.other_values) for s in family.held_out}
    expected |= {(s.counts, s.other_values, s.values) for s in family.held_out}
    assert drawn == expected
    # 200 fair coins: outside 60..140 once in 10^8.
    assert 60 < sum(t.opener == "agent" for t in tasks) < 140
    with pytest.raises(LogError, match="no scenario"):
        Negotiate([SCENARIO]).for_judging()


def test_a_missing_folder_or_file_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(LogError, match="is no folder") as caught:
        load_corpus(tmp_path / "none", seed=0)
    assert "train.txt, val.txt and selfplay_scenarios.txt" in str(caught.value)
    (tmp_path / "train.txt").touch()
    with pytest.raises(LogError, match=r"val.txt and selfplay_scenarios.txt missing"):
        Negotiate.from_folder(tmp_path)


@pytest.mark.skipif(
    not REAL.is_dir(), reason="needs the Deal or No Deal corpus in UNDERSTUDY_DATA or ../shared/data (see README)"
)
def test_the_real_corpus() -> None:
    corpus = load_corpus(REAL, seed=0)
    family = Negotiate.from_folder(REAL)
    # 4,300 less 28 disconnected, from both sides, less one view that is too long for its agent; 525 less 3.
    assert len(corpus.train) == 2 * 4272 - 1
    assert conversations(corpus.train) == 4272
    assert len(corpus.validation) in (521, 522)
    for one in (*corpus.train, *corpus.validation):
        assert replay(one) == one
        assert 0 <= one.outcome.reward <= 1
        assert 0 <= one.outcome.details["user_points"] <= 10
        assert not any(check.violated for check in family.coherence(one.task, one.messages))
        act = family.final_act(one.task, one.messages)
        assert (act is not None) == (one.outcome.ending == "agreed")
        if act is not None:
            logged = one.messages[act.position].text
            assert family.final_act_reward(one.task, one.messages, act.position, logged) == one.outcome.reward
    # A fair coin decides who is the agent: 522 of them are outside .5 +- .1 once in 10^5.
    assert abs(np.mean([d.task.opener == "agent" for d in corpus.validation]) - 0.5) < 0.1
    assert np.mean([d.outcome.details["agreed"] for d in corpus.train]) == pytest.approx(0.922, abs=0.001)
    trained, judged = ({scenario_of(d.task.goal).sides for d in part} for part in (corpus.train, corpus.validation))
    # No pair of contexts was met in training, but nearly each side's own was.
    assert (len(judged), len(judged - trained)) == (195, 195)
    assert (len(set().union(*judged)), len(set().union(*judged) - set().union(*trained))) == (243, 2)
