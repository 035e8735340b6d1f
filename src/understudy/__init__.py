"""Understudy: train conversational agents against simulated users that were proved against real ones."""

__version__ = "0.1.0"
