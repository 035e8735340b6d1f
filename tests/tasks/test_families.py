"""Families by name, and one's own by `module:Class`."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from understudy.errors import ConfigError, LogError
from understudy.pipeline.known_logs import known_family, known_logs
from understudy.tasks import FAMILIES, KNOWN_USERS, is_known, load_family
from understudy.tasks.elicit import Elicit
from understudy.types import Message

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures" / "deal_or_no_deal"


class Own:
    """The least that counts as a task family."""

    name, summary, reward_name, reward_max, max_agent_turns = "own", "", "points", 1.0, 3
    sample_task = ending = outcome = shown = final_act = final_act_reward = coherence = staticmethod(lambda *_: None)


class WithPeople(Own):
    population = object()


class Lacking:
    name = "lacking"


class Demanding(Own):
    def __init__(self, size: int) -> None:
        self.size = size


@pytest.fixture(autouse=True)
def _own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module: Any = ModuleType("own_families")
    module.Own, module.WithPeople, module.Lacking, module.Demanding = Own, WithPeople, Lacking, Demanding
    monkeypatch.setitem(sys.modules, "own_families", module)


@pytest.mark.parametrize("name", KNOWN_USERS)
def test_known_users_need_no_data(name: str) -> None:
    family = load_family(name)
    assert family.name == name
    assert hasattr(family, "population")
    assert is_known(name)


def test_negotiate_needs_a_folder(tmp_path: Path) -> None:
    assert load_family("negotiate", FIXTURE).name == "negotiate"
    assert not is_known("negotiate")
    with pytest.raises(ConfigError, match="'negotiate' needs a folder") as caught:
        load_family("negotiate")
    assert "--data DIR" in str(caught.value)
    with pytest.raises(LogError, match="missing"):
        load_family("negotiate", tmp_path)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="unknown task family 'negotate'") as caught:
        load_family("negotate")
    assert all(name in str(caught.value) for name in FAMILIES)


def test_ones_own_family() -> None:
    assert isinstance(load_family("own_families:Own"), Own)
    assert not is_known("own_families:Own")
    assert is_known("own_families:WithPeople")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no_such_module_here:Own", "cannot be imported"),
        ("own_families:None_", "cannot be imported"),
        (":Own", "cannot be imported"),
        ("own_families:__name__", "not a class"),
        ("own_families:Lacking", "lacks summary, reward_name"),
        ("own_families:Demanding", "cannot be made"),
    ],
)
def test_a_class_that_does_not_fit(name: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_family(name)


@pytest.mark.parametrize("name", KNOWN_USERS)
def test_acts_are_few_and_tell_sides_and_goals_apart(name: str) -> None:
    family: Any = known_family(name)
    logged = known_logs(family, 100, 50, seed=0)
    acts = [(m.role, family.act(d.task, m)) for d in logged for m in d.messages]
    assert 4 < len({act for _, act in acts}) < 120 < len({m.text for d in logged for m in d.messages})
    assert {role for role, _ in acts} == {"agent", "user"}
    garbage = family.act(logged[0].task, Message("agent", "☃ 0x7f <|eot|>"))
    assert isinstance(garbage, str)
    assert garbage


def test_an_act_says_whether_it_serves_the_goal() -> None:
    order = Elicit().sample_task(np.random.default_rng(0), "t")
    size = order.goal["slots"]["size"]
    other = next(v for v in ("small", "medium", "large") if v not in (size, (order.goal["second"] or {}).get("value")))
    assert Elicit().act(order, Message("user", f"a {size} one please")) == "size as wanted"
    assert Elicit().act(order, Message("user", f"a {other} one please", end=True)) == "size otherwise, leaves"
