"""`negotiate`: people's negotiations over books, hats and balls (Deal or No Deal)."""

from understudy.tasks.negotiate.corpus import load_corpus
from understudy.tasks.negotiate.family import Negotiate
from understudy.tasks.negotiate.items import Scenario, scenario_of
from understudy.tasks.negotiate.renaming import renamed

__all__ = ["Negotiate", "Scenario", "load_corpus", "renamed", "scenario_of"]
