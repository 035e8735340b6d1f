"""`elicit`: exact probabilities, fixed reading rules, rewards, and the room between script and good policy."""

from __future__ import annotations

import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from scipy.stats import chisquare

from plays import users_word_types
from understudy.dialogue import dialogue
from understudy.tasks.elicit import Elicit, coherence, phrases
from understudy.tasks.elicit.family import goal_at_end
from understudy.tasks.elicit.population import Persona
from understudy.tasks.elicit.reading import (
    CHANGE_CUES,
    LEXICON,
    AgentAct,
    read_agent,
    read_final,
    read_user,
    told_values,
    words,
)
from understudy.tasks.elicit.script import (
    CHANGE_QUESTIONS,
    MANY_QUESTIONS,
    OPENERS,
    SLOT_QUESTIONS,
    VAGUE_QUESTIONS,
)
from understudy.tasks.elicit.words import FINAL, SLOTS, SURFACES, VALUES, render_final
from understudy.tasks.grammar import Choice, Concat, Expression, Literal, Typed, typo_variants
from understudy.tasks.population import ReplyDistribution
from understudy.types import Dialogue, Message, Task

FAMILY = Elicit()
ORDER = {"size": "large", "drink": "latte", "milk": "oat", "extra": "vanilla"}
SECOND = {"slot": "milk", "value": "soy"}
TASK = Task("elicit", "t", "", "", {"slots": ORDER, "second": SECOND})
PLAIN = Task("elicit", "p", "", "", {"slots": ORDER, "second": None})
CAREFUL = Persona(typo=0.0, patience=6, chatty=False, point=0)
CARELESS = Persona(typo=0.03, patience=6, chatty=True, point=0)
RESTLESS = Persona(typo=0.03, patience=8, chatty=True, point=2)
Policy = Callable[[Task, Sequence[Message], np.random.Generator], Message]


def talk(*texts: str) -> tuple[Message, ...]:
    """Messages in turns, the user first."""
    return tuple(Message("agent" if i % 2 else "user", text) for i, text in enumerate(texts))


# --- policies -------------------------------------------------------------------------------------------------------


def good(task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
    """Asks for the missing slots one by one, asks once whether anything should change, answers."""
    told = told_values(messages)
    missing = [slot for slot in SLOTS if slot not in told]
    if missing:
        return Message("agent", f"which {missing[0]} ?")
    if not any(m.role == "agent" and read_agent(m.text).kind == "change" for m in messages):
        return Message("agent", "anything you want to change ?")
    return Message("agent", render_final(told))


def hasty(task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
    """Guesses the last slot, as the script does in a third of the cases (see `test_what_the_script_does`)."""
    told = told_values(messages)
    missing = [slot for slot in SLOTS if slot not in told]
    if len(missing) > 1:
        return Message("agent", f"which {missing[0]} ?")
    return Message("agent", render_final({slot: told.get(slot, VALUES[slot][0]) for slot in SLOTS}))


def exploiter(task: Task, messages: Sequence[Message], rng: np.random.Generator) -> Message:
    """Asks once for everything if need be, then answers."""
    told = told_values(messages)
    if len(told) < len(SLOTS) and not any(m.role == "agent" for m in messages):
        return Message("agent", "please give me the complete order .")
    return Message("agent", render_final({slot: told.get(slot, VALUES[slot][0]) for slot in SLOTS}))


def play(policy: Policy, n: int, *, prompted: bool = False, seed: int = 0) -> list[Dialogue]:
    played = []
    for i in range(n):
        rng = np.random.default_rng([seed, i])
        task = FAMILY.sample_task(rng, str(i))
        persona = FAMILY.population.persona(f"person {i}")
        turns = dialogue(FAMILY, task, f"person {i}")
        role, messages = next(turns)
        while True:
            if role == "agent":
                message = policy(task, messages, rng)
            elif prompted:
                message = FAMILY.prompted_reply(task, messages).sample(rng)
            else:
                message = FAMILY.population.reply(task, messages, persona).sample(rng)
            try:
                role, messages = turns.send(message)
            except StopIteration as over:
                played.append(over.value)
                break
    return played


def mean_reward(dialogues: Sequence[Dialogue]) -> float:
    return float(np.mean([d.outcome.reward for d in dialogues]))


@pytest.fixture(scope="module")
def logs() -> list[Dialogue]:
    return play(FAMILY.script, 2000)


# --- the population's probabilities ---------------------------------------------------------------------------------

HISTORIES = {
    "opening": (),
    "slot": talk("a large one", "which drink ?"),
    "told": talk("a large one", "which size ?"),
    "two": talk("a large latte", "which milk and which extra ?"),
    "all": talk("a large latte", "tell me everything"),
    "vague": talk("a large latte", "hm"),
    "change": talk("a large latte", "which milk ?", "oat milk", "is that all right ?"),
    "keeps": talk("a large latte", "is that all right ?"),
    "by itself": talk("a large latte", "which milk ?", "oat milk", "any extra ?"),
    "by itself, told": talk("a large latte", "which milk ?", "oat milk", "which milk ?"),
    "parting": talk("a large latte", "hm", "huh ?", "hm", "huh ?", "hm", "huh ?", "hm", "huh ?", "hm"),
    "odd user": talk("", "which milk ?", "soy soy oat ??", "which size ?"),
}


def support(expression: Expression) -> Iterator[str]:
    """Every text that an expression can write, with repetitions."""
    if isinstance(expression, Literal):
        yield expression.text
    elif isinstance(expression, Typed):
        yield from support(expression._inner)
    elif isinstance(expression, Choice):
        for option in expression.options:
            yield from support(option)
    elif isinstance(expression, Concat):
        yield from map("".join, itertools.product(*(tuple(support(part)) for part in expression.parts)))


@pytest.mark.parametrize("history", HISTORIES)
def test_probabilities_sum_to_one_over_all_replies(history: str) -> None:
    persona = Persona(typo=0.0, patience=6, chatty=False, point=2)
    reply = FAMILY.population.reply(TASK, HISTORIES[history], persona)
    everything = {Message("user", text, o.end) for o in reply.options for text in support(o.text)}
    assert sum(map(reply.probability, everything)) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("history", HISTORIES)
@pytest.mark.parametrize("persona", [CAREFUL, CARELESS, RESTLESS])
def test_frequencies_match_probabilities(history: str, persona: Persona) -> None:
    reply = FAMILY.population.reply(TASK, HISTORIES[history], persona)
    assert_fits(reply, n=600)


def assert_fits(reply: ReplyDistribution, n: int) -> None:
    """Chi-square over the replies expected at least 5 times, the rest pooled. 36 tests are run at 1e-5 each, so that a
    right implementation fails once in 3,000 choices of the seed (which is fixed)."""
    rng = np.random.default_rng(7)
    counts = Counter(reply.sample(rng) for _ in range(n))
    expected = {message: n * reply.probability(message) for message in counts}
    assert min(expected.values()) > 0
    common = [message for message, e in expected.items() if e >= 5]
    rest = n - sum(expected[m] for m in common)
    observed = [counts[m] for m in common]
    wanted = [expected[m] for m in common]
    if rest > 1e-6:
        observed.append(n - sum(observed))
        wanted.append(rest)
    assert rest >= -1e-6
    if len(wanted) > 1:
        assert chisquare(observed, wanted).pvalue > 1e-5


def test_typos_happen_at_their_rate() -> None:
    """A 3% slip per word of four letters and more: the share of clean replies is (1 - .03) ** words."""
    reply = FAMILY.population.reply(PLAIN, HISTORIES["keeps"], CARELESS)
    clean = [text for option in FAMILY.population.reply(PLAIN, HISTORIES["keeps"], CAREFUL).options
             for text in support(option.text)]  # fmt: skip
    exact = np.mean([0.97 ** sum(bool(typo_variants(w)) for w in text.split()) for text in clean])
    assert sum(reply.probability(Message("user", text)) for text in set(clean)) == pytest.approx(exact)


def test_marginal_filters_personas_exactly() -> None:
    """The joint of all replies by the chain of filtered marginals equals the average of joints over personas."""
    task, rng = TASK, np.random.default_rng(1)
    persona = Persona(typo=0.03, patience=4, chatty=True, point=3)
    messages: tuple[Message, ...] = ()
    for question in ("which extra ?", "which milk ?", "which size ?", "which drink ?", "hm", "hm"):
        said = FAMILY.population.reply(task, messages, persona).sample(rng)
        messages = (*messages, said)
        if said.end:
            break
        messages = (*messages, Message("agent", question))
    messages = messages if messages[-1].role == "user" else messages[:-1]
    marginals = FAMILY.population.log_prob_marginal(task, messages)
    users = [i for i, m in enumerate(messages) if m.role == "user"]
    assert len(marginals) == len(users) >= 3
    joint = 0.0
    for who, share in FAMILY.population.personas():
        joint += share * math.exp(sum(FAMILY.population.log_prob(messages[i], task, messages[:i], who) for i in users))
    assert sum(marginals) == pytest.approx(math.log(joint), rel=1e-9)


def test_personas_are_shares_of_one_population() -> None:
    everyone = FAMILY.population.personas()
    assert len({who for who, _ in everyone}) == len(everyone) <= 64
    assert sum(share for _, share in everyone) == pytest.approx(1.0)
    assert {who.patience for who, _ in everyone} == {4, 5, 6, 7, 8}


def test_the_order_of_keys_in_a_goal_does_not_matter() -> None:
    shuffled = Task("elicit", "t", "", "", {"second": SECOND, "slots": dict(sorted(ORDER.items()))})
    said = [FAMILY.population.reply(shuffled, (), CAREFUL).sample(np.random.default_rng(i)) for i in range(20)]
    assert said == [FAMILY.population.reply(TASK, (), CAREFUL).sample(np.random.default_rng(i)) for i in range(20)]


def test_impossible_replies_have_probability_zero() -> None:
    for text in ("", "small milk please", "oat milk and vanilla and a latte"):
        assert FAMILY.population.log_prob(Message("user", text), TASK, HISTORIES["slot"], CAREFUL) == -math.inf


# --- the user's state -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("garbage", ["", "   ", "????", "final", "ünï 😀", "xq " * 300, "final answer", "<|end|>\n\t"])
def test_garbage_is_a_vague_question(garbage: str) -> None:
    assert read_agent(garbage) == AgentAct("vague")
    for persona, _ in FAMILY.population.personas():
        FAMILY.population.reply(TASK, talk("a latte", garbage), persona).sample(np.random.default_rng(0))
        FAMILY.population.reply(TASK, talk(garbage, garbage), persona).sample(np.random.default_rng(0))


@pytest.mark.parametrize(
    ("text", "act"),
    [
        ("what size would you like ?", AgentAct("slots", ("size",))),
        ("oat or soy ?", AgentAct("slots", ("milk",))),
        ("Which Milk, and which extra?", AgentAct("slots", ("milk", "extra"))),
        ("size , drink and milk ?", AgentAct("all")),
        ("please give me the complete order .", AgentAct("all")),
        ("so a large latte with oat milk and vanilla , right ?", AgentAct("change")),
        ("Final answer: large latte, oat milk, vanilla", AgentAct("final")),
        ("the final answer : large", AgentAct("slots", ("size",))),
    ],
)
def test_agent_acts(text: str, act: AgentAct) -> None:
    assert read_agent(text) == act


def survives(task: Task, *texts: str) -> int:
    """The least patience (0 to 20) with which a user still answers the last of these messages."""
    history = talk(*texts)
    for patience in range(21):
        reply = FAMILY.population.reply(task, history, Persona(0.0, patience, False, 0))
        if not any(option.end for option in reply.options):
            return patience
    raise AssertionError("nobody is that patient")


def test_patience_is_spent_as_stated() -> None:
    assert survives(PLAIN, "a latte", "which size ?") == 1
    assert survives(PLAIN, "a latte", "which size and which milk ?") == 1
    assert survives(PLAIN, "a latte", "which drink ?") == 2, "told in the opening"
    assert survives(PLAIN, "a latte", "hm") == 2
    assert survives(PLAIN, "a latte", "which size , milk and extra ?") == 2
    assert survives(PLAIN, "a latte", "is that right ?") == 1
    assert survives(PLAIN, "a latte", "is that right ?", "nope", "is that right ?") == 3
    assert survives(PLAIN, "a latte", "which size ?", "i have to think about it", "which size ?") == 2, "was skipped"
    assert survives(PLAIN, "a latte", "which size ?", "large", "which size ?") == 3, "was answered"
    assert survives(PLAIN, "a latte", "which size ?", "lareg", "which size ?") == 3, "was answered with a slip"


def test_a_second_thought_is_announced_once_when_asked_and_only_of_what_was_told() -> None:
    asked = FAMILY.population.reply(TASK, HISTORIES["change"], CAREFUL)
    said = [asked.sample(np.random.default_rng(i)) for i in range(50)]
    assert all(read_user(m.text).values == {"milk": "soy"} and read_user(m.text).cue for m in said)
    for history in (HISTORIES["keeps"], (*HISTORIES["change"], said[0], Message("agent", "anything to change ?"))):
        reply = FAMILY.population.reply(TASK, history, CAREFUL)
        assert {o for option in reply.options for o in support(option.text)} == set(phrases.KEEPS)


def test_a_second_thought_comes_by_itself_to_the_restless_alone() -> None:
    def share(persona: Persona) -> float:
        reply = FAMILY.population.reply(TASK, HISTORIES["by itself"], persona)
        rng = np.random.default_rng(3)
        return float(np.mean(["soy" in read_user(reply.sample(rng).text).values.values() for _ in range(400)]))

    assert share(CARELESS) == 0
    # 400 draws at .6 have a standard error of .025.
    assert share(RESTLESS) == pytest.approx(0.6, abs=0.1)


def test_people_answer_one_thing_and_skip_or_volunteer_some() -> None:
    rng = np.random.default_rng(5)
    two = FAMILY.population.reply(PLAIN, HISTORIES["two"], CAREFUL)
    assert {len(read_user(two.sample(rng).text).named) for _ in range(300)} == {0, 1}
    one = FAMILY.population.reply(PLAIN, HISTORIES["slot"], CARELESS)
    named = Counter(len(read_user(one.sample(rng).text).named) for _ in range(1000))
    assert set(named) == {0, 1, 2}
    assert named[0] / 1000 == pytest.approx(0.1, abs=0.04)
    assert named[2] / 1000 == pytest.approx(0.9 * 0.3, abs=0.06)


# --- reading, endings and rewards -----------------------------------------------------------------------------------


def test_every_word_for_a_value_is_read_and_no_other_word_is() -> None:
    spelled = [(v, slot, value) for slot in SLOTS for value, said in SURFACES[slot].items() for s in said
               for v in {s, *(slip for slip, _ in typo_variants(s))}]  # fmt: skip
    for variant, slot, value in spelled:
        assert LEXICON[variant] == (slot, value), f"{variant} is also a slip of another value's word"
    texts = [t for group in (phrases.CLAUSES, phrases.OPENINGS, phrases.CHANGES) for ts in group.values() for t in ts]
    texts += itertools.chain(phrases.CHANGE_LEADS, phrases.GREETINGS, phrases.CHATTY_LEADS, phrases.TERSE_LEADS)
    texts += itertools.chain(phrases.TAILS, phrases.SKIPS, phrases.CONFUSED, phrases.OVERWHELMED)
    texts += itertools.chain(phrases.REPEATED, phrases.KEEPS, phrases.PARTINGS)
    for text in texts:
        for word in words(re.sub(r"\{\w+\}", "", text)):
            typed = {word, *(slip for slip, _ in typo_variants(word))}
            assert typed.isdisjoint(LEXICON), f"{word!r} in {text!r} can be read as a value"
            if text not in itertools.chain(*phrases.CHANGES.values()):
                assert typed.isdisjoint(CHANGE_CUES), f"{word!r} in {text!r} announces a change"
    assert all(CHANGE_CUES & set(words(t)) for ts in phrases.CHANGES.values() for t in ts)


def test_the_script_is_read_as_it_means() -> None:
    openers = ["", *(f"{opener} " for opener in OPENERS)]
    for opener in openers:
        for slot, questions in SLOT_QUESTIONS.items():
            assert {read_agent(opener + q) for q in questions} == {AgentAct("slots", (slot,))}
        for kind, questions in (("all", MANY_QUESTIONS), ("vague", VAGUE_QUESTIONS), ("change", CHANGE_QUESTIONS)):
            assert {read_agent(opener + q).kind for q in questions} == {kind}


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("final answer : large latte , oat milk , vanilla", ("large", "latte", "oat", "vanilla")),
        ("  Final Answer: large latte, oat milk, vanilla.", ("large", "latte", "oat", "vanilla")),
        ("final answer : big latte , oat milk , vanilla", None),
        ("final answer : latte large , oat milk , vanilla", None),
        ("final answer : large latte , oat milk , vanilla vanilla", None),
        ("final answer : large latte , oat or soy milk , vanilla", None),
        ("final answer :", None),
        ("large latte , oat milk , vanilla", None),
    ],
)
def test_final_answers_are_exact(text: str, values: tuple[str, ...] | None) -> None:
    assert read_final(text) == values


OAT, SOY = render_final(ORDER), render_final({**ORDER, "milk": "soy"})
ASKED = ("a large latte", "which milk ?", "oaty milk", "which extra ?", "vanilla")
CHANGED = (*ASKED, "anything to change ?", "wait , actually make it soya")


@pytest.mark.parametrize(
    ("task", "texts", "reward", "slots"),
    [
        (TASK, (*ASKED, OAT), 1.0, 4),
        (TASK, (*ASKED, SOY), 0.0, 3),
        (TASK, (*CHANGED, SOY), 1.0, 4),
        (TASK, (*CHANGED, OAT), 0.0, 3),
        (PLAIN, (*ASKED, OAT), 1.0, 4),
        (PLAIN, (*CHANGED, OAT), 1.0, 4),
        (TASK, (*ASKED, "final answer : what ?"), 0.0, 0),
    ],
)
def test_rewards(task: Task, texts: tuple[str, ...], reward: float, slots: int) -> None:
    messages = talk(*texts)
    assert [FAMILY.ending(task, messages[: i + 1]) for i in range(len(texts))] == [None] * (len(texts) - 1) + ["final"]
    outcome = FAMILY.outcome(task, messages, "final")
    assert (outcome.reward, outcome.details["slots_right"]) == (reward, slots)
    assert FAMILY.outcome(task, messages, "turns").reward == 0
    act = FAMILY.final_act(task, messages)
    assert act is not None
    assert (act.position, act.forced) == (len(texts) - 1, FINAL)
    assert FAMILY.final_act_reward(task, messages, act.position, texts[-1]) == reward
    right = SOY if goal_at_end(task, messages)["milk"] == "soy" else OAT
    assert FAMILY.final_act_reward(task, messages, act.position, right) == 1
    assert FAMILY.final_act_reward(task, messages, act.position, "which milk ?") == 0
    assert FAMILY.final_act_reward(task, messages, 1, right) is None


def test_who_leaves_gives_nothing() -> None:
    messages = (*talk(*ASKED[:2]), Message("user", "", end=True))
    assert FAMILY.ending(TASK, messages) == "left"
    assert FAMILY.outcome(TASK, messages, "left").reward == 0
    assert FAMILY.final_act(TASK, messages) is None
    assert FAMILY.final_act_reward(TASK, messages, 1, OAT) is None
    assert FAMILY.ending(TASK, ()) is None


def test_the_goal_at_the_end_is_read_off_any_users_words() -> None:
    assert goal_at_end(TASK, talk("hello there , a large latte with soy milk"))["milk"] == "soy"
    assert goal_at_end(TASK, talk("hi", "soy milk ?", "no"))["milk"] == "oat", "the agent's words do not count"
    assert goal_at_end(TASK, talk("actually make it skim"))["milk"] == "oat", "nor does what was no second thought"


def test_tasks() -> None:
    tasks = [FAMILY.sample_task(np.random.default_rng(i), str(i)) for i in range(600)]
    assert tasks[5] == FAMILY.sample_task(np.random.default_rng(5), "5")
    # 600 draws at .5 have a standard error of .02.
    assert np.mean([t.goal["second"] is not None for t in tasks]) == pytest.approx(0.5, abs=0.08)
    for task in tasks:
        assert json.loads(json.dumps(dict(task.goal))) == dict(task.goal)
        second = task.goal["second"]
        wanted = [f"{slot} {task.goal['slots'][slot]}" for slot in SLOTS]
        wanted += [f"second thought {second['slot']} {second['value']}"] if second else []
        assert task.user_prompt == " ; ".join(wanted)
        assert second is None or second["value"] != task.goal["slots"][second["slot"]]
        assert not LEXICON.keys() & set(words(task.agent_prompt))


# --- coherence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "violated"),
    [
        (CHANGED, []),
        (("a large mocha with dairy milk",), [coherence.NOT_ITS_GOAL]),
        (("a latte", "which size ?", "oat milk"), [coherence.OTHER_SLOT]),
        (("a latte", "which size ?", "large , with oat milk"), []),
        (("a latte", "which size ?", "no idea yet"), []),
        (("oat milk", "which size ?", "soy milk instead"), []),
        (("oat milk", "which milk ?", "soy milk"), [coherence.CONTRADICTS]),
        ((*ASKED, "is that right ?", "actually make it big"), [coherence.OTHER_CHANGE]),
        ((*ASKED, "is that right ?", "actually make it tea"), [coherence.NOT_ITS_GOAL, coherence.OTHER_CHANGE]),
    ],
)
def test_coherence_finds_each_contradiction(texts: tuple[str, ...], violated: list[str]) -> None:
    assert [c.kind for c in FAMILY.coherence(TASK, talk(*texts)) if c.violated] == violated


def test_people_never_contradict_themselves(logs: list[Dialogue]) -> None:
    checks = [c for d in (*logs[:400], *play(good, 100)) for c in FAMILY.coherence(d.task, d.messages)]
    assert not [c for c in checks if c.violated]
    seen = Counter(c.kind for c in checks)
    assert min(seen[kind] for kind in (coherence.NOT_ITS_GOAL, coherence.OTHER_SLOT, coherence.OTHER_CHANGE)) >= 40
    assert seen[coherence.CONTRADICTS] >= 40


# --- script, good policy, exploiter ---------------------------------------------------------------------------------


def test_the_room_between_script_and_good_policy(logs: list[Dialogue]) -> None:
    """2,000 dialogues of the script and 500 of each policy: standard errors are at most .022."""
    best, script, guessed = mean_reward(play(good, 500)), mean_reward(logs), mean_reward(play(hasty, 500))
    assert best > 0.9
    assert 0.35 * best < script < 0.55 * best
    assert guessed < best - 0.2


def test_the_collapse_that_a_prompted_user_invites(logs: list[Dialogue]) -> None:
    assert mean_reward(play(exploiter, 500, prompted=True)) >= 0.95
    assert mean_reward(play(exploiter, 500)) < mean_reward(logs) - 0.2


def state_and_act(dialogues: Sequence[Dialogue]) -> Counter[tuple[int, str]]:
    found: Counter[tuple[int, str]] = Counter()
    for d in dialogues:
        for i, m in enumerate(d.messages):
            if m.role == "agent":
                told = told_values(d.messages[:i])
                act = read_agent(m.text)
                kind = "asks" if act.kind == "slots" and len(act.slots) == 1 and act.slots[0] not in told else act.kind
                found[len(SLOTS) - len(told), kind] += 1
    return found


def test_what_the_script_does(logs: list[Dialogue]) -> None:
    """What the good policy does is seen in at least 15% of its occasions, and a guess of the last slot in a third."""
    acts = state_and_act(logs)
    most = {n: max((k for k in acts if k[0] == n), key=acts.__getitem__)[1] for n in range(4)}
    assert most == {0: "final", 1: "asks", 2: "asks", 3: "asks"}
    assert acts[1, "final"] >= 0.3 * sum(count for (m, _), count in acts.items() if m == 1)
    for n, kind in ((3, "asks"), (2, "asks"), (1, "asks"), (0, "change"), (0, "final")):
        assert acts[n, kind] >= 0.15 * sum(count for (m, _), count in acts.items() if m == n)
    changes = [any(m.role == "agent" and read_agent(m.text).kind == "change" for m in d.messages) for d in logs]
    assert 0.15 < np.mean(changes) < 0.35


def test_logs_read_like_people(logs: list[Dialogue]) -> None:
    assert users_word_types(logs) >= 300
    lengths = [len(m.text.split()) for d in logs for m in d.messages if m.text]
    assert np.quantile(lengths, 0.99) <= 14
    assert max(lengths) <= 20
    assert {d.outcome.ending for d in logs} <= {"final", "left", "turns"}
    assert all(m.text or m.end for d in logs for m in d.messages)


def test_everything_is_a_function_of_its_arguments() -> None:
    assert play(FAMILY.script, 20, seed=4) == play(FAMILY.script, 20, seed=4)
    assert play(FAMILY.script, 20, seed=4) != play(FAMILY.script, 20, seed=5)


# --- the stand-in for a prompted user -------------------------------------------------------------------------------


def test_the_prompted_user_tells_all_and_never_leaves() -> None:
    rng = np.random.default_rng(0)
    wanted = {**ORDER, "milk": "soy"}
    for history in HISTORIES.values():
        reply = FAMILY.prompted_reply(TASK, history)
        assert not any(option.end for option in reply.options)
        texts = {text for option in reply.options for text in support(option.text)}
        assert sum(reply.probability(Message("user", text)) for text in texts) == pytest.approx(1.0)
        if history:
            assert read_user(reply.sample(rng).text).values == wanted
    assert {len(read_user(t).values) for o in FAMILY.prompted_reply(TASK, ()).options for t in support(o.text)} == {
        0,
        4,
    }


def test_the_prompted_user_alone_is_coherent_and_its_goal_is_the_second_thought() -> None:
    for d in play(good, 100, prompted=True):
        assert d.outcome.reward == 1
        assert not [c for c in FAMILY.coherence(d.task, d.messages) if c.violated]
