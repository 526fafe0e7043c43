"""Vocabulary: what the small words of English do in a request, as far as clauses look at them."""

from __future__ import annotations

import re

OPENING, CLOSING = "\"'“”„‘’«»‹›`([{<*_", "\"'“”‘’«»‹›`)]}>*_.,;:!?…"
"""What may stand before and behind a word without being a part of it."""
STOPS = ".!?;…"
"""What ends a sentence."""
FUNCTION = frozenset(
    "a an the this that these those is are am was were be been being has have had having do does did doing will would shall it its "
    "there here that's it's there's then now just also too please kindly maybe so some any channel room chat group conversation "
    "thread message".split()
)
"""What carries no meaning of its own in a request: it may be there or not."""
RELATION = frozenset(
    "about to in on at of for by with from into onto as and or should may might can could must".split()
)
"""What changes a meaning if it is another one: an argument may leave it out, and has none that was not said."""
REPORT = frozenset("say says said ask asks asked tell tells told whether know knows".split())
"""What may be added in front of what somebody is to be told: "Ana says"."""
SPEAKER = frozenset("i i'm i've i'd i'll me my mine myself we us our ours we're we've we'll we'd".split())
"""The person who speaks, which may have become their name or a third person."""
OTHERS = frozenset(
    "he she they him her them his hers their theirs he's she's they're they've himself herself themselves himself".split()
)
"""Whom a name stood for before."""
ADDRESSED = frozenset("you your yours you're you've you'll yourself".split())
"""The agent, or whoever is told something."""
NOT = frozenset("not no never none nothing nobody neither nor without cannot cant wont dont".split())
"""What turns a clause into its opposite: a word of meaning, which no argument may hide."""
LEAD = re.compile(
    r"(?:(?:and|then|but|so|also|now|just|please|kindly|ok|okay|hey|hi|hello|well|yes|yeah|sure|first|next|afterwards|finally|dear|oh|"
    r"AGENT) )*"
    r"(?:(?:(?:can|could|would|will) you|(?:i|we) (?:want|need|would like) you to|(?:i'd|we'd) like you to|"
    r"you (?:should|must)|go ahead and) )?"
    r"(?:(?:please|kindly|just|also|now|then|maybe) )*"
)
"""What a request may begin with, before its verb."""
CONDITIONS = frozenset("if unless when whenever once until till while whatever provided case otherwise".split())
"""What makes of a request one for another day."""
ARTICLES = frozenset("the a an my our channel room chat group".split())
"""What stands before a destination."""
PLACING = frozenset("to into onto in on at with by".split())
"""What a destination stands behind."""
QUESTIONS = frozenset("what who whom whose how why when where which if".split())
"""What no destination is."""
PARTICLES = frozenset("down up out off over".split())
"""What belongs to a verb: "note down"."""
BOUNDARY = frozenset("and then but".split())
"""What another clause begins with."""
SAYING = frozenset(
    "say says said write writes wrote ask asks asked tell tells told read reads answered replied".split()
)
"""What somebody else's words stand behind."""
RETRACTED = frozenset("wait stop cancel kidding joking instead rather otherwise actually".split())
"""What takes back what was said before it."""
REPORTED = frozenset("says said reads writes wrote told asked claims claimed".split())
"""What says, behind a clause, that it was somebody else's."""
ASKING = frozenset(("can", "could", "would", "will"))
"""What makes a question a request: "can you"."""
READING = frozenset(
    "read reads summarise summarize summary translate translation answer reply respond explain proofread correct rephrase rewrite "
    "shorten review analyse analyze mean means meaning mail email letter says said wrote writes asks asked told forwarded received got "
    "what what's whats who why how".split()
)
"""What hands over somebody else's text, or is said of one."""
POINTING = frozenset("this these that following below here".split())
"""What points at the lines below."""
HELD_BACK = re.compile(
    r"\b(?:confirm\w*|approv(?:e|es|ed|al)|permission|consent|beforehand|only)\b"
    r"|\bask(?:s|ed|ing)? (?:me|us|first|again|for|before|\.)"
    r"|\bbefore (?:(?:i|you|we|it|that|this|doing|sending)\b|\w+ing\b|\.)"
    r"|\bafter (?:i|you|we|my|our|that|this)\b"
    r"|\bcheck(?:s|ed|ing)? (?:\S+ ){0,2}with (?:me|us)\b|\b(?:run|clear|okay|ok) (?:\S+ )?(?:by|past|with) (?:me|us)\b"
    r"|\blet (?:me|us) (?:see|look|check|read|review|decide|think)\b|\b(?:me|us|it|that|this) first\b"
    r"|\b(?:my|our) (?:ok|okay|go|word|yes|nod|answer|reply|signal)\b"
)
"""What makes a request wait for the speaker, in the words of a sentence with " ." at its end."""
