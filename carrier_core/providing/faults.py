"""Every way a call can fail, as a ProviderError that names provider, model and remedy, and never a secret."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from carrier_core.errors import ProviderError
from carrier_core.metering import may_be_billed
from carrier_core.providing.patience import Phase, Silent

STATUSES = {
    400: "invalid",
    401: "auth",
    403: "auth",
    404: "invalid",
    408: "timeout",
    413: "length",
    422: "invalid",
    429: "rate_limit",
    503: "overloaded",
    504: "timeout",
    529: "overloaded",
}
"""Reasons by HTTP status; any other of 500 and above is ``server``, any other below is ``invalid``."""

REMEDIES = {
    "auth": "Check the key, and that it may use this model.",
    "rate_limit": "Wait, or ask for a higher limit.",
    "overloaded": "Try again later.",
    "server": "Try again later.",
    "timeout": "Raise the time-out in the plugin's section, or choose a faster model.",
    "connection": "Check the network and the server's address.",
    "refused": "Say it in another way.",
    "length": "Lower `conversation_length` in the agent's section, or set the model's `context` in [models].",
    "incomplete": "Try again.",
    "unreadable": "Try again, or choose a larger model.",
    "invalid": "Check the names of the models, in the plugin's section and in the agent's.",
}

UNSENT = frozenset(
    (
        "ConnectError",
        "ConnectTimeout",
        "InvalidURL",
        "LocalProtocolError",
        "PoolTimeout",
        "ProxyError",
        "UnsupportedProtocol",
    )
)
"""The exceptions of HTTP clients after which nothing was sent, by name."""

LONGEST = 300  # characters of what a service says

_WAITED: dict[Phase, str] = {
    "first": "did not begin to answer within {:g} s",
    "pause": "fell silent for {:g} s in the middle of its answer",
    "total": "did not end its answer within {:g} s",
}


class Faults:
    """Makes the errors of one call. ``secrets`` are taken out of whatever a service says; ``server`` is told where it is no
    matter of course. ``remedies`` (by reason) and ``codes`` (the service's codes and types of error -> reason) are those of the
    service, before the general ones."""

    def __init__(
        self,
        provider: str,
        model: str,
        *,
        secrets: Iterable[str] = (),
        server: str = "",
        remedies: Mapping[str, str] | None = None,
        codes: Mapping[str, str] | None = None,
    ) -> None:
        self._who = f"{provider}{f' at {server}' if server else ''}, model {model},"
        self._secrets = [secret for secret in secrets if secret]
        self._remedies = {**REMEDIES, **(remedies or {})}
        self._codes = codes or {}

    def error(self, reason: str, what: str, *, remedy: str = "", retry_after: float | None = None) -> ProviderError:
        """A fault in words: what the service did."""
        what = " ".join(what.encode(errors="replace").decode().split())
        for secret in self._secrets:  # some services repeat it
            what = what.replace(secret, "(the key)")
        if len(what) > LONGEST:
            what = f"{what[:LONGEST]}…"
        message = f"{self._who} {what.rstrip('.')}."
        return ProviderError(message, reason=reason, retry_after=retry_after, remedy=remedy or self._remedies[reason])

    def status(
        self, status: int, said: str, *codes: object, retry_after: str | None = None, remedy: str = ""
    ) -> ProviderError:
        """An answer with an HTTP status of failure. The first of the service's ``codes`` that is known is more exact than
        the status; ``retry_after`` is the header of that name."""
        reason = self._coded(codes) or STATUSES.get(status, "server" if status >= 500 else "invalid")
        what = f"answered with status {status}: {said}"
        return self.error(reason, what, remedy=remedy, retry_after=seconds_of(retry_after))

    def broke_off(self, said: str, *codes: object, remedy: str = "") -> ProviderError:
        """The stream itself says that the answer failed."""
        return self.error(self._coded(codes) or "server", f"broke off: {said}", remedy=remedy)

    def silent(self, silence: Silent) -> ProviderError:
        """It took too long."""
        return self.error("timeout", _WAITED[silence.phase].format(silence.seconds))

    def unreachable(self, error: BaseException) -> ProviderError:
        """There is no connection, or it broke: then what was sent may be billed."""
        cause = error.__cause__ or error
        if type(cause).__name__ not in UNSENT:
            may_be_billed()
        return self.error("connection", f"could not be reached, or hung up ({_named(cause)})")

    def unspeakable(self, error: BaseException) -> ProviderError:
        """What came back is nothing that the protocol knows."""
        return self.error("unreadable", f"did not speak the protocol ({_named(error)})")

    def no_stream(self, content_type: str | None, *, remedy: str = "") -> ProviderError:
        """There was not one event in what came back with a status of success: a page, from another address than it should be."""
        kind = (content_type or "").partition(";")[0] or "nothing"
        what = f"answered with {kind} instead of a stream of events"
        return self.error("unreadable", what, remedy=remedy or self._remedies["connection"])

    def unready(self, missing: str) -> ProviderError:
        """It lacks what it needs: ``missing`` is the sentence that says so, with the remedy."""
        return self.error("auth", "cannot be asked", remedy=missing)

    def incomplete(self) -> ProviderError:
        """The stream ended without a reason to finish."""
        return self.error("incomplete", "ended its answer without saying that it is complete")

    def unreadable_call(self, name: str, arguments: str, *, cut: bool) -> ProviderError:
        """A call whose name is missing or whose arguments are no JSON object; ``cut`` by the limit of tokens."""
        what = f"asked to call {name or 'something without a name'} with arguments that are no JSON object"
        if cut:
            return self.error("incomplete", f"{what}: they were cut at the token limit", remedy="Raise `max_tokens`.")
        return self.error("unreadable", f"{what}: {arguments}")

    def _coded(self, codes: Iterable[object]) -> str:
        known = (self._codes.get(code) for code in codes if isinstance(code, str))  # of a server's JSON, whatever it is
        return next(filter(None, known), "")


def _named(error: BaseException) -> str:
    said = str(error)
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


def seconds_of(header: str | None) -> float | None:
    """A ``Retry-After`` (RFC 9110, 10.2.3) in seconds: a number, or a date. None where it means nothing."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        from datetime import UTC, datetime
        from email.utils import parsedate_to_datetime

        try:
            date = parsedate_to_datetime(header)
        except (ValueError, OverflowError):
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
