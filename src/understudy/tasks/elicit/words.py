"""What users of `elicit` can order: four slots, their values, and the words in which people say them."""

from __future__ import annotations

from collections.abc import Mapping

SLOTS = ("size", "drink", "milk", "extra")
"""In the order of the final answer; everything indexed by slot uses this order."""

SURFACES: dict[str, dict[str, tuple[str, ...]]] = {
    "size": {
        "mini": ("mini", "tiny"),
        "small": ("small", "short"),
        "medium": ("medium", "regular"),
        "large": ("large", "big", "venti"),
        "giant": ("giant", "huge"),
    },
    "drink": {
        "latte": ("latte",),
        "americano": ("americano", "filter"),
        "cappuccino": ("cappuccino", "cappu"),
        "espresso": ("espresso", "expresso"),
        "tea": ("tea", "chai"),
        "cocoa": ("cocoa", "chocolate"),
    },
    "milk": {
        "dairy": ("dairy", "cow"),
        "skim": ("skim", "lowfat"),
        "oat": ("oat", "oaty"),
        "soy": ("soy", "soya"),
        "almond": ("almond",),
        "coconut": ("coconut",),
    },
    "extra": {
        "vanilla": ("vanilla",),
        "caramel": ("caramel", "toffee"),
        "cinnamon": ("cinnamon",),
        "honey": ("honey",),
        "maple": ("maple", "syrup"),
        "ginger": ("ginger",),
    },
}
"""Slot -> canonical value -> the words for it, all single words; no word (nor a slip of it) belongs to two values."""

VALUES: dict[str, tuple[str, ...]] = {slot: tuple(values) for slot, values in SURFACES.items()}

FINAL = "final answer :"


def render_final(values: Mapping[str, str]) -> str:
    """The final answer with these canonical values, for example `final answer : large latte , oat milk , vanilla`."""
    return f"{FINAL} {values['size']} {values['drink']} , {values['milk']} milk , {values['extra']}"
