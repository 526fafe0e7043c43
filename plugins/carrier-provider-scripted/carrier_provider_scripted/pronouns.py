"""Pronouns: what somebody said, said back to them."""

from __future__ import annotations

import re

_PRONOUNS = re.compile(
    r"\b(?:"
    r"(?P<am>(?:i|we) (?P<adverb>(?:\w+ly|also|never|always|just|once|still|already) )?(?P<be>am|was|are|were))\b(?!['’])"
    r"|(?P<ask>am i|was i)\b"
    r"|(?P<short>(?:i|we)['’](?P<rest>m|re|ve|d|ll))\b"
    r"|(?P<lone>(?<![\d.] )am)\b"
    r"|(?P<you>you (?P<yours>are|were)|you['’](?P<yourrest>re|ve|d|ll))\b"
    r"|(?P<word>i|me|my|mine|myself|we|us|our|ours|ourselves|your|yours|yourself|you)\b(?!['’]\w)"
    r")",
    re.IGNORECASE,
)
_TURNED = {
    "i": "you", "me": "you", "my": "your", "mine": "yours", "myself": "yourself",
    "we": "you", "us": "you", "our": "your", "ours": "yours", "ourselves": "yourselves",
    "your": "my", "yours": "mine", "yourself": "myself",
}  # fmt: skip
_BE = {"am": "are", "was": "were", "are": "are", "were": "were"}


def second_person(text: str) -> str:
    """A statement said back to whoever made it: `I am Ana and you know me` becomes `You are Ana and I know you`."""
    return _PRONOUNS.sub(lambda match: _turn(match, text), text)


def _turn(match: re.Match[str], text: str) -> str:
    given = match[0]
    mark = "’" if "’" in given else "'"
    if match["am"]:
        turned = f"you {match['adverb'] or ''}{_BE[match['be'].lower()]}"
    elif match["ask"]:
        turned = f"{_BE[given.split()[0].lower()]} you"
    elif match["short"]:
        turned = f"you{mark}" + {"m": "re"}.get(match["rest"].lower(), match["rest"].lower())
    elif match["lone"]:
        turned = "AM" if given == "AM" else "are"
    elif match["you"]:
        be = (match["yours"] or "").lower()
        rest = (match["yourrest"] or "").lower()
        turned = {"are": "I am", "were": "I was"}.get(be) or {"re": f"I{mark}m"}.get(rest, f"I{mark}{rest}")
    elif given.lower() == "you":
        turned = (
            "me"
            if re.match(r"\s*(?:$|[.,;:!]|(?:and|or|but|to|for|that|in|on|at|with)\b)", text[match.end() :])
            else "I"
        )
    else:
        turned = _TURNED[given.lower()]
    begins = match.start() == 0 or text[: match.start()].rstrip()[-1:] in ".!?"
    return turned[:1].upper() + turned[1:] if begins and given[:1].isupper() else turned
