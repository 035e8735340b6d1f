"""`edit`: its users are exactly known and coherent, its reward is BLEU, and it leaves room between script and good."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections import Counter
from collections.abc import Iterator

import numpy as np
import pytest
from scipy.stats import chi2

from plays import play, users_word_types
from understudy.dialogue import OUT_OF_TURNS
from understudy.tasks.edit import Edit, phrases
from understudy.tasks.edit import script as scripts
from understudy.tasks.edit.coherence import ALREADY_RIGHT, FALSE_APPROVAL, MISSED, WRONG_VALUE
from understudy.tasks.edit.population import Persona, faults, read_state
from understudy.tasks.edit.reading import Said, approves, lexicon, read_agent, read_draft, read_user, tokens
from understudy.tasks.edit.script import HABITS, SLOT_QUESTIONS, script
from understudy.tasks.edit.words import CASUAL, FORMAL, REGISTER, SLOTS, VALUES, render
from understudy.tasks.grammar import typo_variants
from understudy.types import Dialogue, Message, Task

EDIT = Edit()
SLOT_VALUES = {"name": "maria", "action": "send", "version": "final", "thing": "report", "day": "friday"}
TEXT = "dear maria , please send the final report before friday , kind regards"
GOAL = {"slots": SLOT_VALUES, "register": FORMAL, "text": TEXT}
TASK = Task("edit", "t", "write", f"text : {TEXT}", GOAL)
CAREFUL = Persona(typo=0.0, patience=2, lenient=False, chatty=True)
CARELESS = Persona(typo=0.03, patience=3, lenient=True, chatty=False)
OPENING = Message("user", "i need to write to maria")


def agent(text: str) -> Message:
    return Message("agent", text)


def draft(register: str = FORMAL, **changed: str | None) -> Message:
    values = SLOT_VALUES | changed
    return agent(f"draft : {render([values[slot] for slot in SLOTS], register)}")


def talk(*agent_messages: Message, reply: str = "not quite right") -> tuple[Message, ...]:
    """A history that ends with the agent's last message; the user answered `reply` to the others."""
    history = [OPENING]
    for message in agent_messages:
        history += [message, Message("user", reply)]
    return tuple(history[:-1])


def good(task: Task, messages: tuple[Message, ...], rng: np.random.Generator) -> Message:
    """Ask for three things, then draft from what was said, guess the rest, match the register."""
    return _drafting(task, messages, rng, questions=3)


def drafts_alone(task: Task, messages: tuple[Message, ...], rng: np.random.Generator) -> Message:
    """As `good`, without a question."""
    return _drafting(task, messages, rng, questions=0)


def _drafting(task: Task, messages: tuple[Message, ...], rng: np.random.Generator, *, questions: int) -> Message:
    told = dict(pair for m in messages if m.role == "user" for pair in read_user(m.text).values)
    acts = [read_agent(m.text) for m in messages if m.role == "agent"]
    unclear = [slot for slot in SLOT_QUESTIONS if slot not in told]
    if len(acts) < questions and unclear:
        return agent(SLOT_QUESTIONS[unclear[int(rng.integers(len(unclear)))]][0])
    values = [told.get(slot) or str(rng.choice(VALUES[slot])) for slot in SLOTS]
    return agent(f"draft : {render(values, told.get(REGISTER, FORMAL))}")


def exploiter(task: Task, messages: tuple[Message, ...], rng: np.random.Generator) -> Message:
    """Ask for the text until somebody dictates it, then copy it."""
    _, colon, dictated = messages[-1].text.partition(" : ")
    return agent(f"draft : {dictated}" if colon else "what should it say exactly ?")


_ROUNDED = {f.name: float(round(getattr(HABITS, f.name))) for f in dataclasses.fields(HABITS)}
MODAL = dataclasses.replace(HABITS, **_ROUNDED | {"asks_slot": 1.0, "changes": 0.0})
"""The script's likeliest decisions; of its questions the slot question, the kindest reading (the shares are near)."""


def mean_reward(played: list[Dialogue]) -> float:
    return float(np.mean([d.outcome.reward for d in played]))


@pytest.fixture(scope="module")
def logs() -> list[Dialogue]:
    return play(EDIT, EDIT.script, 1000)


# --- the text and its reading ---------------------------------------------------------------------------------------


def test_text_has_6_to_12_words_and_is_read_back() -> None:
    for seed in range(200):
        task = EDIT.sample_task(np.random.default_rng(seed), "x")
        words = [w for w in task.goal["text"].split() if w.isalpha()]
        assert 6 <= len(words) <= 12
        read = read_draft(task.goal["text"])
        assert dict(zip(SLOTS, read.values, strict=True)) == task.goal["slots"]
        assert read.register == task.goal["register"]
        assert read.well_worded
        assert task.user_prompt == f"text : {task.goal['text']}"
        assert not set(task.goal["slots"].values()) & set(task.agent_prompt.split())


def test_draft_with_open_slots_is_well_worded_and_a_jumble_is_not() -> None:
    partial = read_draft(render((None, None, "new", None, None), CASUAL))
    assert partial.values == (None, None, "new", None, None)
    assert partial.well_worded
    assert not read_draft("maria dear , please send final the report before friday , kind regards").well_worded
    several = read_draft("dear maria tom , please send the report")
    assert several.values[0] is None


@pytest.mark.parametrize(
    ("text", "kind", "slot"),
    [
        ("draft : hello", "draft", ""),
        ("Draft: hello", "draft", ""),
        ("draft :", "draft", ""),
        ("draft hello", "vague", ""),
        ("which day suits you ?", "slot", "day"),
        ("should it be friday ?", "slot", "day"),
        ("formal or casual ?", "slot", REGISTER),
        ("who is it for and when ?", "vague", ""),
        ("what should it say exactly ?", "dictation", ""),
        ("", "vague", ""),
        ("?? <pad> ééé :::", "vague", ""),
    ],
)
def test_agent_messages_are_read(text: str, kind: str, slot: str) -> None:
    act = read_agent(text)
    assert (act.kind, act.slot) == (kind, slot)


def test_script_questions_are_understood_as_meant() -> None:
    for slot, questions in SLOT_QUESTIONS.items():
        assert {(read_agent(q).kind, read_agent(q).slot) for q in questions} == {("slot", slot)}
    assert {read_agent(q).kind for q in scripts.DICTATION_QUESTIONS} == {"dictation"}
    assert {read_agent(q).kind for q in scripts.VAGUE_QUESTIONS} == {"vague"}


def _fragments(thing: object) -> Iterator[str]:
    if isinstance(thing, str):
        yield thing
    elif isinstance(thing, tuple):
        for part in thing:
            yield from _fragments(part)
    elif isinstance(thing, dict):
        for part in thing.values():
            yield from _fragments(part)


def test_no_filler_or_misspelt_filler_means_something() -> None:
    """What makes zero incoherence certain, beyond what any number of dialogues shows."""
    vocabulary = {
        word
        for name in dir(phrases)
        if name.isupper() and name not in ("SLOTS", "REGISTER", "WORDING")
        for fragment in _fragments(getattr(phrases, name))
        for word in tokens(fragment)
    }
    known = lexicon()
    for word in vocabulary:
        for variant, _ in typo_variants(word):
            assert known.get(variant) in (None, known.get(word)), (word, variant)
    wordless = (phrases.VAGUE, phrases.EVASIONS, phrases.REFUSALS, phrases.TAILS, phrases.JOINERS, phrases.GREETINGS)
    leads = (phrases.FAR_LEADS, phrases.NEAR_LEADS, phrases.AGAIN_LEADS, phrases.TERSE_LEADS, phrases.ANSWER_LEADS)
    for text in itertools.chain(*wordless, *leads):
        assert not read_user(text).named, text


def test_clauses_say_what_they_mean_and_nothing_else() -> None:
    for slot, values in VALUES.items():
        for value in values:
            for clause in (*phrases.VALUE_CLAUSES[slot], *phrases.MISSING_CLAUSES[slot]):
                said = read_user(clause.format(v=value))
                assert (said.values, said.named) == (((slot, value),), {slot}), clause
    for register in (FORMAL, CASUAL):
        for clauses in (phrases.TONE_CLAUSES, phrases.TONE_HINTS, phrases.TONE_ANSWERS):
            assert {read_user(clause).values for clause in clauses[register]} == {((REGISTER, register),)}
    for slot, names in phrases.NAMING_CLAUSES.items():
        assert {read_user(clause) for clause in names} == {Said((), frozenset({slot}))}
    for shown, frames in phrases.OPENINGS.items():
        told = [VALUES[slot][0] for slot in shown]
        for frame in frames:
            assert dict(read_user(frame.format(*told)).values) == dict(zip(shown, told, strict=True)), frame


def test_endings_survive_one_typo() -> None:
    for texts, expected in ((phrases.APPROVALS, True), (phrases.PARTINGS, False)):
        for text in texts:
            words = text.split()
            assert approves(text) is expected
            for i, word in enumerate(words):
                for variant, _ in typo_variants(word):
                    assert approves(" ".join([*words[:i], variant, *words[i + 1 :]])) is expected
    assert not approves("")


# --- the population: exact probabilities ----------------------------------------------------------------------------

HISTORIES = {
    "opening": (),
    "two wrong": talk(draft(day="monday", thing=None)),
    "told before": talk(draft(CASUAL, name="tom"), draft(CASUAL, name="tom"), reply="it goes to maria"),
    "far off": talk(draft(day="monday", thing=None, name="tom", action="sign")),
    "all wrong": talk(agent("draft : <pad> lorem")),
    "only wording": talk(agent(f"draft : {TEXT} now")),
    "slot question": talk(agent("which day suits you ?")),
    "register question": talk(agent("formal or casual ?")),
    "vague after a draft": talk(draft(day="monday"), agent("anything else ?")),
    "garbage": talk(agent("")),
    "dictation": talk(agent("what should it say exactly ?")),
    "perfect": talk(draft()),
    "leaves": talk(*[agent("hm ?")] * 4),
}


@pytest.mark.parametrize("persona", [CAREFUL, CARELESS])
@pytest.mark.parametrize("history", HISTORIES)
def test_frequencies_match_probabilities(history: str, persona: Persona) -> None:
    """Chi-square over replies with expectation >= 5, the rest pooled; 26 cases at p > 1e-5 each."""
    reply = EDIT.population.reply(TASK, HISTORIES[history], persona)
    n = 1500
    rng = np.random.default_rng(7)
    counts = Counter(reply.sample(rng) for _ in range(n))
    expected = {message: n * reply.probability(message) for message in counts}
    assert min(expected.values()) > 0
    assert sum(expected.values()) <= n * (1 + 1e-9)
    common = [m for m in counts if expected[m] >= 5]
    observed = [counts[m] for m in common] + [n - sum(counts[m] for m in common)]
    wanted = [expected[m] for m in common] + [n - sum(expected[m] for m in common)]
    if wanted[-1] < 1e-6 * n:
        assert observed.pop() == 0
        wanted.pop()
    statistic = sum((o - e) ** 2 / e for o, e in zip(observed, wanted, strict=True))
    assert chi2.sf(statistic, max(len(wanted) - 1, 1)) > 1e-5


def test_mass_sums_to_one_with_every_misspelling() -> None:
    reply = EDIT.population.reply(TASK, HISTORIES["perfect"], CARELESS)
    texts = {
        " ".join(words)
        for text in phrases.APPROVALS
        for words in itertools.product(*([w, *(v for v, _ in typo_variants(w))] for w in text.split()))
    }
    assert len(texts) > 1000
    assert sum(reply.probability(Message("user", text, end=True)) for text in texts) == pytest.approx(1.0, abs=1e-9)
    assert reply.probability(Message("user", phrases.APPROVALS[0])) == 0.0


def test_comment_on_two_things_has_the_probability_worked_out_by_hand() -> None:
    """Chatty: a pair with .5, no lead with .3, then one of 2 orders, 4 joiners, 6 of the day's and 7 of the tone's."""
    reply = EDIT.population.reply(TASK, talk(draft(CASUAL, day="monday")), CAREFUL)
    text = "the day should be friday , also make it more polite"
    clauses = len(phrases.VALUE_CLAUSES["day"]) * len(phrases.TONE_CLAUSES[FORMAL])
    assert reply.probability(Message("user", text)) == pytest.approx(0.5 * 0.3 / (2 * 4 * clauses))


def test_a_draft_that_is_far_off_is_not_corrected() -> None:
    """Chatty: no lead with .3; .5 says that it is wrong, .5 where (one of 4 things), and a value is never given."""
    history = talk(draft(day="monday", thing="map", name="tom", action="sign"))
    reply = EDIT.population.reply(TASK, history, CAREFUL)
    assert reply.probability(Message("user", phrases.VAGUE[0])) == pytest.approx(0.3 * 0.5 / len(phrases.VAGUE))
    for slot in ("day", "thing", "name", "action"):
        clauses = phrases.NAMING_CLAUSES[slot]
        assert reply.probability(Message("user", clauses[0])) == pytest.approx(0.3 * 0.5 / 4 / len(clauses))
    said = [reply.sample(np.random.default_rng(i)).text for i in range(300)]
    assert not any(read_user(text).values for text in said)
    near = EDIT.population.reply(TASK, talk(draft(day="monday", thing="map", name="tom")), CAREFUL)
    assert any(read_user(near.sample(np.random.default_rng(i)).text).values for i in range(30))


def test_marginal_equals_the_sum_over_personas(logs: list[Dialogue]) -> None:
    for played in logs[:6]:
        weights = np.array([share for _, share in EDIT.population.personas()])
        marginals = EDIT.population.log_prob_marginal(played.task, played.messages)
        for position, marginal in zip(range(0, len(played.messages), 2), marginals, strict=True):
            before = played.messages[:position]
            likelihood = np.array(
                [
                    math.exp(EDIT.population.log_prob(played.messages[position], played.task, before, persona))
                    for persona, _ in EDIT.population.personas()
                ]
            )
            joint = weights * likelihood
            assert marginal == pytest.approx(math.log(joint.sum() / weights.sum()), abs=1e-9)
            weights = joint


def test_personas_are_a_distribution_and_persons_keep_theirs() -> None:
    shares = [share for _, share in EDIT.population.personas()]
    assert sum(shares) == pytest.approx(1.0)
    assert len(shares) == len({persona for persona, _ in EDIT.population.personas()}) <= 64
    assert EDIT.population.persona("ann") == EDIT.population.persona("ann")


def test_logged_users_are_possible_and_the_same_seed_gives_the_same_logs(logs: list[Dialogue]) -> None:
    assert play(EDIT, EDIT.script, 20) == logs[:20]
    for played in logs[:60]:
        persona = EDIT.population.persona(played.person)
        for i in range(0, len(played.messages), 2):
            assert EDIT.population.log_prob(played.messages[i], played.task, played.messages[:i], persona) > -math.inf


# --- the population: what it does ------------------------------------------------------------------------------------


def ends(history: tuple[Message, ...], persona: Persona) -> str | None:
    """`approved` or `left` if the persona surely ends here, None if it surely goes on."""
    reply = EDIT.population.reply(TASK, history, persona)
    said = [reply.sample(np.random.default_rng(i)) for i in range(20)]
    endings = {EDIT.ending(TASK, (*history, message)) for message in said}
    assert len(endings) == 1
    return endings.pop()


def test_approves_when_near_enough() -> None:
    strict, lenient = CAREFUL, CAREFUL._replace(lenient=True)
    assert ends(talk(draft()), strict) == ends(talk(draft()), lenient) == "approved"
    assert ends(talk(draft(day="monday")), strict) is None
    assert ends(talk(draft(day="monday")), lenient) == "approved"
    assert ends(talk(draft(name="tom")), lenient) is None
    assert ends(talk(draft(CASUAL)), lenient) is None
    assert ends(talk(draft(day="monday", version="old")), lenient) is None
    assert ends(talk(agent(f"draft : {TEXT} now")), lenient) is None


def test_leaves_when_drafts_stall_and_stays_while_they_improve() -> None:
    same = draft(day="monday", thing="map")
    assert ends(talk(same, same), CAREFUL) is None
    assert ends(talk(same, same, same), CAREFUL) == "left"
    assert ends(talk(same, same, same), CAREFUL._replace(patience=3)) is None
    assert ends(talk(same, same, draft(day="monday"), draft(day="tuesday")), CAREFUL) is None
    assert ends(talk(agent("draft : x"), agent("draft : y")), CAREFUL) == "left"
    # A perfect draft is approved however long it took.
    assert ends(talk(same, same, same, draft()), CAREFUL) == "approved"


def test_leaves_when_questions_cost_too_much() -> None:
    ask, dictate = agent("which day suits you ?"), agent("what should it say exactly ?")
    assert ends(talk(ask, ask, ask), CAREFUL) is None
    assert ends(talk(ask, ask, ask, ask), CAREFUL) == "left"
    assert ends(talk(dictate, ask), CAREFUL) is None
    assert ends(talk(dictate, dictate), CAREFUL) == "left"
    assert ends(talk(dictate, dictate), CAREFUL._replace(patience=3)) is None
    assert ends(talk(dictate, dictate, ask), CAREFUL._replace(patience=3)) == "left"


@pytest.mark.parametrize("said", ["", "perfect , thanks", "draft : x", "zzz é 7"])
@pytest.mark.parametrize("written", ["", "draft :", "draft : draft : maria", "\n\t", "<eos> " * 50])
def test_any_text_on_either_side_is_handled(written: str, said: str) -> None:
    history = (Message("user", said), agent(written), Message("user", said), agent(written))
    for persona, _ in EDIT.population.personas():
        EDIT.population.reply(TASK, history, persona).sample(np.random.default_rng(0))
    EDIT.prompted_reply(TASK, history).sample(np.random.default_rng(0))
    EDIT.script(TASK, history[:3], np.random.default_rng(0))
    EDIT.coherence(TASK, history)
    assert 0 <= EDIT.outcome(TASK, history, OUT_OF_TURNS).reward <= 100


def test_people_never_dictate_and_have_a_vocabulary(logs: list[Dialogue]) -> None:
    for played in logs:
        for message in played.messages[::2]:
            assert len(set(dict(read_user(message.text).values)) - {REGISTER}) <= 2
    assert users_word_types(logs) >= 300


# --- endings and reward ----------------------------------------------------------------------------------------------


def test_ending_is_told_by_the_words_of_a_message_that_ends() -> None:
    so_far = talk(draft())
    assert EDIT.ending(TASK, (*so_far, Message("user", "perfect , thanks"))) is None
    assert EDIT.ending(TASK, (*so_far, Message("user", "perfct , thanks", end=True))) == "approved"
    assert EDIT.ending(TASK, (*so_far, Message("user", "", end=True))) == "left"
    assert EDIT.ending(TASK, (*so_far, Message("user", "not good enough , bye", end=True))) == "left"
    assert EDIT.ending(TASK, so_far) is None
    assert EDIT.ending(TASK, ()) is None


def test_reward_is_the_bleu_of_the_last_draft() -> None:
    near, perfect, question = draft(day="monday"), draft(), agent("which day suits you ?")
    assert EDIT.outcome(TASK, talk(near, perfect), "approved").reward == 100.0
    # 13 tokens, the tenth is wrong: 1 of 13 words, 2 of 12 pairs, 3 of 11 triples, 4 of 10 quadruples hold it.
    by_hand = 100 * (12 / 13 * 10 / 12 * 8 / 11 * 6 / 10) ** 0.25
    assert EDIT.outcome(TASK, talk(perfect, near), OUT_OF_TURNS).reward == pytest.approx(by_hand)
    assert EDIT.outcome(TASK, talk(near, question), OUT_OF_TURNS).reward == pytest.approx(by_hand)
    assert EDIT.outcome(TASK, talk(perfect), "left").reward == 0.0
    assert EDIT.outcome(TASK, talk(perfect), "left").details["bleu"] == 100.0
    assert EDIT.outcome(TASK, talk(question), OUT_OF_TURNS).reward == 0.0


def test_final_act_is_the_last_draft() -> None:
    messages = (
        *talk(draft(day="monday"), draft(day="sunday"), agent("anything else ?")),
        Message("user", "", end=True),
    )
    act = EDIT.final_act(TASK, messages)
    assert act is not None
    assert (act.position, act.forced) == (3, "draft :")
    assert EDIT.final_act_reward(TASK, messages, 3, f"draft : {TEXT}") == 100.0
    assert EDIT.final_act_reward(TASK, messages, 3, "who is it for ?") == 0.0
    assert EDIT.final_act_reward(TASK, messages, 1, f"draft : {TEXT}") is None
    assert EDIT.final_act(TASK, talk(agent("anything else ?"))) is None


# --- coherence -------------------------------------------------------------------------------------------------------


def violations(*messages: Message) -> set[str]:
    return {check.kind for check in EDIT.coherence(TASK, messages) if check.violated}


def test_the_population_is_coherent(logs: list[Dialogue]) -> None:
    counts = Counter(
        check for d in (*logs, *play(EDIT, good, 300, seed=1)) for check in EDIT.coherence(d.task, d.messages)
    )
    assert not [check for check in counts if check.violated]
    assert {check.kind for check in counts} == {ALREADY_RIGHT, WRONG_VALUE, FALSE_APPROVAL, MISSED}


def test_each_contradiction_is_found() -> None:
    off = talk(draft(day="monday"))
    assert violations(*off, Message("user", "the day shoudl be friday")) == set()
    assert violations(*off, Message("user", "the day should be sunday")) == {WRONG_VALUE}
    assert violations(*off, Message("user", "wrong person")) == {ALREADY_RIGHT}
    assert violations(*off, Message("user", "a bit too sloppy")) == {ALREADY_RIGHT}
    assert violations(*off, Message("user", "a bit too stiff")) == {ALREADY_RIGHT, WRONG_VALUE}
    assert violations(*off, Message("user", "great , that is it", end=True)) == set()
    assert violations(*talk(draft(name="tom")), Message("user", "great , that is it", end=True)) == {FALSE_APPROVAL}
    assert violations(*talk(agent("who is it for ?")), Message("user", "perfect", end=True)) == {FALSE_APPROVAL}
    assert violations(*talk(draft()), Message("user", "not quite right")) == {MISSED}
    assert violations(*talk(draft()), Message("user", "forget it", end=True)) == {MISSED}
    # An answer to a question is no comment on the draft.
    assert violations(*talk(off[1], agent("who is it for ?")), Message("user", "it goes to maria")) == set()
    assert violations(Message("user", "i need to write to tom")) == {WRONG_VALUE}


# --- room and collapse -----------------------------------------------------------------------------------------------


def test_the_user_sees_at_a_glance_where_a_draft_departs_from_its_text_and_the_agent_nothing() -> None:
    assert EDIT.shown(TASK, talk(draft(name="tom", day=None))) == "adds tom ; lacks maria before friday"
    assert EDIT.shown(TASK, talk(draft(name=None))) == "lacks dear maria"
    assert EDIT.shown(TASK, talk(agent(f"draft : {TEXT} now now"))) == "adds now"
    assert EDIT.shown(TASK, talk(draft())) == "no difference"
    # Only beside a draft, which a question is not, and to nobody but the user.
    assert EDIT.shown(TASK, talk(draft(name="tom"), agent("who is it for ?"))) == ""
    assert EDIT.shown(TASK, (*talk(draft(name="tom")), Message("user", "not quite right"))) == ""


def test_the_script_leaves_room_and_shows_every_act(logs: list[Dialogue]) -> None:
    best = mean_reward(play(EDIT, good, 500, seed=2))
    imperfect = mean_reward(logs)
    likeliest = mean_reward(play(EDIT, lambda *args: script(*args, habits=MODAL), 500, seed=3))
    assert best >= 85
    assert mean_reward(play(EDIT, drafts_alone, 500, seed=2)) <= best - 15  # else nothing but drafting is to be learned
    assert 0.3 * best <= imperfect <= 0.55 * best
    assert likeliest <= best - 20
    first = [read_agent(d.messages[1].text).kind for d in logs]
    assert first.count("draft") / len(first) >= 0.15
    acts = Counter(read_agent(m.text).kind for d in logs for m in d.messages[1::2])
    shares = {kind: count / acts.total() for kind, count in acts.items()}
    assert 0.1 <= shares["dictation"] <= 0.2
    assert min(shares["slot"], shares["draft"]) >= 0.1
    heeded = [_heeds_tone(d) for d in logs]
    assert sum(heeded, start=Counter())[True] / sum(heeded, start=Counter()).total() >= 0.15


def _heeds_tone(played: Dialogue) -> Counter[bool]:
    """Of the drafts that follow a comment on the register, how many have the register asked for."""
    heeded: Counter[bool] = Counter()
    for said, answered in zip(played.messages[2::2], played.messages[3::2], strict=False):
        wanted = dict(read_user(said.text).values).get(REGISTER)
        new = read_agent(answered.text).draft
        if wanted and new:
            heeded[new.register == wanted] += 1
    return heeded


def test_asking_for_dictation_wins_with_the_prompted_user_and_loses_with_people(logs: list[Dialogue]) -> None:
    played = play(EDIT, exploiter, 200, prompted=True)
    assert mean_reward(played) >= 95
    assert {d.outcome.ending for d in played} == {"approved"}
    assert mean_reward(play(EDIT, exploiter, 200)) <= mean_reward(logs) - 25


def test_prompted_user_approves_anything_and_never_leaves() -> None:
    rng = np.random.default_rng(0)
    for history in (talk(agent("draft : x")), talk(*[agent("draft : x")] * 6)):
        reply = EDIT.prompted_reply(TASK, history).sample(rng)
        assert EDIT.ending(TASK, (*history, reply)) == "approved"
        assert violations(*history, reply) == {FALSE_APPROVAL}
    for question in ("what should it say exactly ?", "hm ?"):
        reply = EDIT.prompted_reply(TASK, talk(*[agent(question)] * 6)).sample(rng)
        assert reply.text.endswith(f" : {TEXT}")
        assert not reply.end
    assert "friday" in EDIT.prompted_reply(TASK, talk(agent("which day suits you ?"))).sample(rng).text


def test_state_is_a_function_of_the_agents_messages() -> None:
    state = read_state(GOAL, talk(draft(day="monday"), agent("what should it say exactly ?"), draft(CASUAL, day=None)))
    assert state.wrong == ("day", REGISTER)
    assert (state.stalled, state.asked) == (1, 2)
    assert faults(read_draft(TEXT), GOAL) == ()
