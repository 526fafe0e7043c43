"""Recall for whoever writes a store: everything of it but the index. All of it is pure, and fast enough for an event loop.

A store gives every memory a row number that says where it stands (:func:`pack`), indexes the words of :func:`prepare`, and
keeps of every shelf its audience and the :func:`keys_of` it. To recall, it takes the shelves under :func:`keys_for` the readers
whose audience admits them all, asks its index for what :func:`read_query` says is :class:`Sought`, lets :func:`rank` order the
rows :class:`Found` (and :func:`fuse` them with what is near in meaning), and offers the best to a :class:`Choice`.
"""

from carrier_core.recall.asked import Asked, Sought, read_query, speakers
from carrier_core.recall.choice import Choice, questions, with_answers
from carrier_core.recall.kin import WORDS_VERSION
from carrier_core.recall.ranking import BESIDE, Found, Ranked, fuse, rank
from carrier_core.recall.shelves import (
    Label,
    Shelf,
    keys_for,
    keys_of,
    label,
    last_of,
    pack,
    place_of,
    read_shelves,
    shelf_of,
)
from carrier_core.recall.words import Indexed, plain, prepare, words_in

__all__ = [
    "BESIDE",
    "WORDS_VERSION",
    "Asked",
    "Choice",
    "Found",
    "Indexed",
    "Label",
    "Ranked",
    "Shelf",
    "Sought",
    "fuse",
    "keys_for",
    "keys_of",
    "label",
    "last_of",
    "pack",
    "place_of",
    "plain",
    "prepare",
    "questions",
    "rank",
    "read_query",
    "read_shelves",
    "shelf_of",
    "speakers",
    "with_answers",
    "words_in",
]
