"""Safety: keeps back drafts with secrets in them, with what not everyone in the room may know, and with data in links."""

from __future__ import annotations

from carrier_core import Draft, Evaluation, Evaluator, Readers, Turn, Verdict
from carrier_evaluator_standard.credentials import Credential, credentials
from carrier_evaluator_standard.exposure import Shown, carries, gives_away, shown
from carrier_evaluator_standard.links import decode, links


class Safety(Evaluator):
    """A secret that the agent was shown blocks the draft, and so does what others may not know. What may be a mistake, a link or
    something like a key, sends it back with a word on why; a draft that is still so when no revisions are left is blocked."""

    name = "safety"

    def __init__(self, hosts: tuple[str, ...] = (), clients: frozenset[str] | None = None) -> None:
        self._hosts = hosts
        self.clients = clients

    async def evaluate(self, turn: Turn, draft: Draft) -> Evaluation | None:
        """None where nothing is wrong. No verdict repeats what it found. What cannot be judged is blocked."""
        try:
            return await self._judged(turn, draft)
        except Exception as error:
            turn.agent.host.log.exception("draft_not_judged", turn=turn.id, error=type(error).__name__)
            return Evaluation(Verdict.BLOCK, "It could not be judged whether it is safe.", self.name)

    async def _judged(self, turn: Turn, draft: Draft) -> Evaluation | None:
        text = draft.text
        if not text.strip() or turn.prompt is None:
            return None
        readers = await turn.readers()
        audiences = {part.provenance.audience for part in turn.prompt.parts if part.provenance is not None}
        is_open = all(audience.admits(readers) for audience in audiences)
        found = None
        if not is_open or _says_more_than_words(text):
            found = judged(text, shown(turn, turn.prompt, readers), self._hosts)
        # What a model wrote has the audience of all that it was shown; where that is narrow, its words were looked at.
        if found is None and is_open and not _is_for(draft, readers):
            found = (Verdict.BLOCK, "A part of it is not for everyone in this room.")
        if found is None:
            return None
        verdict, feedback = found
        return Evaluation(last_word(turn, verdict), feedback, self.name)


def judged(text: str, seen: Shown, hosts: tuple[str, ...] = ()) -> tuple[Verdict, str] | None:
    """The verdict on a text, with a reason that holds none of what was found; None where nothing is wrong."""
    addresses = list(links(text))
    laid_open = "\n".join((text, *(decode(link.url) for link in addresses)))
    secrets = [secret for secret in credentials(laid_open) if secret.value not in seen.own]
    known = next((secret for secret in secrets if _is_shown(secret, seen)), None)
    if known is not None:
        return Verdict.BLOCK, f"It has {known.kind} in it that is not for this room."
    if gives_away(text, seen):
        return Verdict.BLOCK, "It repeats something that not everyone in this room may know."
    for link in addresses:
        problem = carries(link, seen, hosts)
        if problem:
            what = "picture" if link.image else "link"
            return (
                Verdict.REVISE,
                f"The {what} to {link.host or 'no host'} {problem}. Leave it out, and say it in words.",
            )
    if secrets:
        kind = secrets[0].kind
        return Verdict.REVISE, f"It has {kind} in it. Leave it out, or write a placeholder such as YOUR_KEY."
    return None


def _is_shown(secret: Credential, seen: Shown) -> bool:
    return secret.value in seen.plain


def _says_more_than_words(text: str) -> bool:
    """Whether there is anything in it that can carry data or be a secret: most texts have nothing of the kind."""
    return next(links(text), None) is not None or next(credentials(text), None) is not None


def _is_for(draft: Draft, readers: Readers) -> bool:
    """Whether every part that brought an audience of its own, as what an action says does, admits the readers."""
    return all(part.provenance is None or part.provenance.audience.admits(readers) for part in draft.parts)


def last_word(turn: Turn, verdict: Verdict) -> Verdict:
    """Revise, or block where the draft cannot be sent back again: the host lets the last draft pass."""
    given = turn.prompt.select("feedback") if turn.prompt is not None else ()
    revisions = sum(part.provenance is not None and part.provenance.hook == "evaluate" for part in given)
    if verdict is Verdict.REVISE and revisions >= turn.agent.settings.limits.revisions:
        return Verdict.BLOCK
    return verdict
