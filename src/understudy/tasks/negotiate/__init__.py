"""`negotiate`: people's negotiations over books, hats and balls (Deal or No Deal)."""

from understudy.tasks.negotiate.corpus import Corpus, load_corpus
from understudy.tasks.negotiate.family import Negotiate
from understudy.tasks.negotiate.items import Scenario
from understudy.tasks.negotiate.unseen import UnseenContexts, unseen_contexts

__all__ = ["Corpus", "Negotiate", "Scenario", "UnseenContexts", "load_corpus", "unseen_contexts"]
