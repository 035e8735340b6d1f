"""What the users of `document` say: {words} are content words of the text or of a draft.

No phrase holds a cue of `reading` that it does not mean, and every group has one that is too short to be a quotation.
"""

from __future__ import annotations

OPENINGS = (
    "i need a text about {words} .",
    "can you help me with a text about {words} ?",
    "hi , i want to write something . it is about {words} .",
    "there is this text that i can't get down . it is about this : {words} .",
)

PLACES = ("at the beginning", "in the middle", "at the end")
COMMENTS = (
    "{place} i miss {words} .",
    "{place} it should mention {words} .",
    "not yet , {place} it is about {words} .",
    "please add {words} .",
    "hmm , {place} there has to be something about this : {words} .",
)
AGAIN = (
    "as i said , {place} it is about {words} .",
    "again , please add {words} .",
    "{place} i still miss {words} .",
)
"""Where everything that the draft lacks has been told."""
REJECTIONS = ("my text has nothing on {words} .", "leave out {words} .", "no , please leave out {words} .")
REWORDING = (
    "the content is right , but i would put it in other words .",
    "it reads differently in my head .",
    "close , but the wording is not mine yet .",
)
VAGUE = ("hmm , not yet .", "that is not it yet .", "keep going , please .")

ANSWERS = (
    "{place} it is about {words} .",
    "well , {place} i want to mention {words} .",
    "{place} something about this : {words} .",
)
NOTHING_MORE = ("that is all that i can tell you .", "you know everything by now , write it down .", "nothing more .")
REFUSALS = ("i can't say it in full , just try .", "you write , i tell you what is off .", "no , just try .")
NUDGES = ("so , what would you write ?", "i am waiting for a draft .", "please write something .")

APPROVALS = ("perfect , thank you .", "yes , exactly what i had in mind .", "great , i take it .", "wonderful , done .")
PARTINGS = (
    "never mind , i will write it myself .",
    "this leads nowhere .",
    "forget it , bye .",
    "i have to stop here .",
)
WORDLESS = "hm ."
"""Said where everything else would be a quotation."""
