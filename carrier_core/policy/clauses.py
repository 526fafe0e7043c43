"""Clauses: whether a person's message asks for exactly one call, in a clause of its own.

A clause asks for a call if it begins as a request does (with the action's name or a simile of it, after "please", "can you", the
agent's name...), is neither negated nor under a condition nor quoted, and has behind that nothing but the arguments of the call: each
word of them stands there, in order, and each word that stands there is one of theirs. Words that carry no meaning of their own (articles,
prepositions, auxiliaries) do not count, and the speaker may have become a third person: "remember that I don't eat fish" asks for
``remember(text="Ana does not eat fish.")``.

Others write what is read here, so that the work is bounded: a message that is too long, or takes too long to be understood, asks for
nothing, and a person is asked instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import NamedTuple

from carrier_core.policy.sentences import LONGEST, Message, Meter, TooMuch
from carrier_core.policy.tokens import Token, Whose, tokens_of, written
from carrier_core.policy.vocabulary import (
    ARTICLES,
    ASKING,
    CONDITIONS,
    LEAD,
    PARTICLES,
    PLACING,
    QUESTIONS,
    SAYING,
)
from carrier_core.policy.words import leaves_of
from carrier_core.prompts import Json

_MESSAGE = 2000  # words of a message
_LEAVES = 40  # texts and numbers of a call
_WORD = 50  # characters of a word; a longer one counts as several
_LED = 20  # words before the verb
_NONE: frozenset[str] = frozenset()


class _Leaf(NamedTuple):
    """A text or number of a call, as words. A place is one that it goes to."""

    is_place: bool
    tokens: tuple[Token, ...]


class _Call(NamedTuple):
    """What is looked for: the action's names in words, the arguments (equal ones once, with their numbers in ``all``), what the agent
    is called."""

    names: tuple[tuple[str, ...], ...]
    leaves: tuple[_Leaf, ...]
    all: tuple[int, ...]
    agent: frozenset[str]

    @property
    def also(self) -> frozenset[str]:
        """The words of the action's own name, which may stand in a clause that begins with a simile."""
        return frozenset(self.names[0] if self.names else ())


def asked(
    texts: Sequence[str],
    names: Iterable[tuple[str, ...]],
    arguments: Mapping[str, Json],
    *,
    places: Iterable[str] = (),
    speaker: str = "",
    agents: Iterable[str] = (),
    meter: Meter | None = None,
) -> bool:
    """Whether one of the texts has a clause that asks for a call of one of these names (in words) with just these arguments."""
    own = frozenset(_words(speaker))
    agent = frozenset(word for name in agents for word in _words(name))
    given = _leaves(arguments, frozenset(places), own)
    if given is None:
        return False
    leaves = tuple(dict.fromkeys(given))
    call = _Call(tuple(names), leaves, tuple(sorted(leaves.index(each) for each in given)), agent)
    meter, left = meter or Meter(), _MESSAGE
    messages: list[Message] = []
    for text in texts:
        tokens = tokens_of(text, _NONE, left)
        left -= len(tokens)
        if left < 0:
            return False
        messages.append(Message(tokens, meter))
    if any(each.is_long for each in messages):
        return False
    try:
        return any(_asks(each, call) for each in messages)
    except TooMuch:
        return False


def _leaves(arguments: Mapping[str, Json], places: frozenset[str], own: frozenset[str]) -> list[_Leaf] | None:
    """The arguments as words; None where no message could ask for them."""
    given: list[_Leaf] = []
    for name, value in arguments.items():
        found = list(islice(leaves_of(value), _LEAVES + 1))
        if not found or any(leaf is None for leaf in found) or len(given) + len(found) > _LEAVES:
            return None
        for leaf in found:
            tokens = tuple(tokens_of(written(leaf), own, LONGEST))
            if len(tokens) > LONGEST or not any(token.kind in ("word", "not") for token in tokens):
                return None
            if name in places and not all(_is_name(token) for token in tokens):
                return None
            given.append(_Leaf(name in places, tokens))
    return given


def told(texts: Iterable[str], value: Json, *, speaker: str = "") -> bool:
    """Whether a value has no word but such as were said in these texts, in any order; the speaker's name may be added."""
    own = frozenset(_words(speaker))
    said = {form for text in texts for token in tokens_of(text, _NONE, _MESSAGE) for form in _forms(token)}
    left = _MESSAGE
    for leaf in leaves_of(value):
        tokens = tokens_of(written(leaf), own, _MESSAGE)
        left -= len(tokens) + 1
        if leaf is None or left < 0:
            return False
        if any(token.kind in ("word", "not") and said.isdisjoint(_forms(token)) for token in tokens):
            return False
    return True


def alike(one: Json, other: Json) -> bool:
    """Whether two values have the same words, but for small ones."""
    return _weighty(one) == _weighty(other)


def _weighty(value: Json) -> frozenset[str]:
    texts = [written(leaf) for leaf in leaves_of(value) if leaf is not None]
    tokens = [token for text in texts for token in tokens_of(text, _NONE, len(text))]
    return frozenset(_stem(token.text) for token in tokens if token.kind in ("word", "not"))


_SMALL = ("function", "relation", "I", "he", "you")


def _asks(message: Message, call: _Call) -> bool:
    tokens = message.tokens
    sentence = start = 0
    waits = False
    for place, token in enumerate(tokens):
        if place and tokens[place - 1].stop:
            sentence, waits = place, False
        if place == sentence or token.starts:
            start = place
        was_waiting, waits = waits, waits or token.text in CONDITIONS
        if token.whose is not Whose.OWN or was_waiting or place - start > _LED:
            continue
        if start > sentence and tokens[start - 1].text in SAYING:
            continue  # "he said, send it"
        before = tokens[start:place]
        if tokens[message.ends[place] - 1].stop == "?" and not any(each.text in ASKING for each in before):
            continue  # "mute this room?" wants an answer
        led = "".join(f"{'AGENT' if each.text in call.agent else each.text} " for each in before)
        if LEAD.fullmatch(led) is None or not any(_begins(message, place, name, call) for name in call.names):
            continue
        if not message.waits(sentence, start):
            return True
    return False


def _begins(message: Message, place: int, name: tuple[str, ...], call: _Call) -> bool:
    """Whether a clause that asks for the call, by one of its names, has its verb at this place."""
    token = message.tokens[place]
    if not name:
        return False
    if token.text == "_".join(name) and _covers(message, place, name, call, frozenset(name)):
        return True  # by the very name that the action has
    if _is_form(token.text, name[0]) and _covers(message, place, name, call, frozenset((name[0],))):
        return True
    # "post a joke every day": what is to be done goes before the word that says when
    is_told = len(call.all) > 1 and token.kind == "word" and not any(leaf.is_place for leaf in call.leaves)
    return is_told and _covers(message, place - 1, name, call, _NONE)


def _covers(message: Message, verb: int, name: tuple[str, ...], call: _Call, found: frozenset[str]) -> bool:
    """Whether the words behind the verb are those of the name and of the arguments, up to where a clause ends. Each state (how far,
    which words of the name, which arguments are left) is looked at once."""
    tokens = message.tokens
    left: tuple[int, ...]
    states = [(verb + 1, found, call.all)]
    seen = set(states)
    while states:
        place, named, left = states.pop()
        message.meter.add(1)
        if not left and named.issuperset(name) and message.over[place]:
            if not message.taken_back(place):
                return True
            continue
        if place >= len(tokens):
            continue
        for state in _following(message, verb, name, call, (place, named, left)):
            if state not in seen:
                seen.add(state)
                states.append(state)
    return False


_State = tuple[int, frozenset[str], tuple[int, ...]]


def _following(message: Message, verb: int, name: tuple[str, ...], call: _Call, state: _State) -> Iterator[_State]:
    """How it may go on: with one of the arguments that are left, a word of the name, or a word without meaning."""
    place, named, left = state
    token = message.tokens[place]
    for number in dict.fromkeys(left):
        is_place, wanted = call.leaves[number]
        if is_place and (token.kind != "word" or not _is_placed(message, verb, place, name)):
            continue
        end = _matched(message, place, wanted)
        if end:
            met = {word for word in name if any(_is_form(each.text, word) for each in message.tokens[place:end])}
            at = left.index(number)
            yield end, named | met, left[:at] + left[at + 1 :]
    words = {word for word in (*name, *call.also) if _is_form(token.text, word)}
    if words:
        yield place + 1, named | words, left
    elif token.kind in _SMALL or (place == verb + 1 and token.text in PARTICLES):
        yield place + 1, named, left


def _is_name(token: Token) -> bool:
    """Whether a word can be one of a destination: "me what" is none."""
    return (token.kind in ("word", "own") and token.text not in QUESTIONS) or token.text in ARTICLES


def _is_placed(message: Message, verb: int, place: int, name: tuple[str, ...]) -> bool:
    """Whether a destination stands where one stands: behind the verb, or behind to, in, on..."""
    tokens, before = message.tokens, place - 1
    while before > verb and tokens[before].text in ARTICLES:
        before -= 1
    message.meter.add(place - before)
    return before == verb or tokens[before].text in PLACING or any(_is_form(tokens[before].text, word) for word in name)


def _matched(message: Message, place: int, wanted: Sequence[Token]) -> int:
    """Where an argument that begins at a place ends, 0 if it does not stand there. Between its words function words are free; a
    pronoun stands for the person that it stood for."""
    tokens, start = message.tokens, place
    small: list[Token] = []
    first = True
    for each in wanted:
        if each.kind not in ("word", "not"):
            small.append(each)
            continue
        at = -1 if place > start and tokens[place - 1].stop else message.next[place]
        message.meter.add(1 + len(each.text) // _WORD)
        if at < 0 or not _same(tokens[at], each):
            return 0
        message.meter.add(at - place)
        if not _fits(tokens[place:at], small, first=first):
            return 0
        small, first = [], False
        place = at + 1
    end = place
    while end < len(tokens) and not tokens[end - 1].stop and tokens[end].kind not in ("word", "not"):
        end += 1
    message.meter.add(end - start)
    return place if _fits(tokens[place:end], small, first=False) else 0


_STANDS_FOR = {"I": ("I", "own", "he"), "he": ("he", "you"), "you": ("you", "I")}


def _fits(met: list[Token], wanted: list[Token], *, first: bool) -> bool:
    """Whether the small words of an argument may stand for those of the message; "Ana says" may be added in front."""
    relations = [each.text for each in met if each.kind == "relation"]
    for text in [each.text for each in wanted if each.kind == "relation"]:
        if text not in relations:
            return False
        del relations[: relations.index(text) + 1]
    left = [each.kind for each in met if each.kind in _STANDS_FOR]
    people = [each.kind for each in wanted if each.kind in _STANDS_FOR or each.kind == "own"]
    for number, kind in enumerate(people):
        while left and kind not in _STANDS_FOR[left[0]]:
            left.pop(0)
        if left:
            left.pop(0)
        elif not (first and (kind == "own" or (number and people[0] == "own"))):
            return False
    return True


def _same(said: Token, wanted: Token) -> bool:
    return said.kind == wanted.kind and not set(_forms(said)).isdisjoint(_forms(wanted))


def _forms(token: Token) -> Iterator[tuple[str, str, str]]:
    """What two words have in common, at least one of it, if they are the same."""
    yield token.kind, "", _address(token.text)
    if token.text.isalpha():
        yield token.kind, "stem", _stem(token.text)


def _address(word: str) -> str:
    """A URL without what nobody writes: ``example.org/menu`` is https://example.org/menu."""
    return word.removeprefix("https://").removesuffix("/") if "." in word else word


def _stem(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _words(name: str) -> list[str]:
    return re.findall(r"[^\W_]+", name.casefold())


_ENDINGS = frozenset(("", "s"))


def _is_form(said: str, word: str) -> bool:
    """A request is in the imperative: ``send``, not ``sent`` or ``sending``."""
    return said.startswith(word) and said[len(word) :] in _ENDINGS
