"""Every way a call can fail, as a ProviderError that names provider, model and remedy, and never the key."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from carrier_core import ProviderError

if TYPE_CHECKING:
    from openai import APIStatusError

REASONS = {
    400: "invalid",
    401: "auth",
    403: "auth",
    404: "invalid",
    408: "timeout",
    413: "invalid",
    422: "invalid",
    429: "rate_limit",
    503: "overloaded",
    529: "overloaded",
}
"""By HTTP status; any other of 500 and above is ``server``, any other below is ``invalid``."""

CODES = {
    "rate_limit_exceeded": "rate_limit",
    "rate_limit_error": "rate_limit",
    "insufficient_quota": "rate_limit",
    "server_error": "server",
    "overloaded_error": "overloaded",
    "vector_store_timeout": "timeout",
    "invalid_api_key": "auth",
    "authentication_error": "auth",
    "content_filter": "refused",
    "content_policy_violation": "refused",
    "invalid_prompt": "refused",
}
"""By the code or type that the server gives; it is more exact than the status."""

REMEDIES = {
    "auth": "Check OPENAI_API_KEY, and that the key may use this model.",
    "rate_limit": "Wait, or ask for a higher limit.",
    "overloaded": "Try again later.",
    "server": "Try again later.",
    "timeout": "Raise `timeout` in [plugin.carrier-provider-openai], or choose a faster model.",
    "connection": "Check the network and `base_url` (OPENAI_BASE_URL).",
    "refused": "Say it in another way.",
    "incomplete": "Try again.",
    "invalid": "Check `base_url`, and `models` in [plugin.carrier-provider-openai] and in the agent's section.",
}
SPECIAL_REMEDIES = {
    "insufficient_quota": "Check the plan and billing of the account that the key belongs to.",
    "context_length_exceeded": "Lower `conversation_length` in the agent's section.",
    "model_not_found": "Name a model that the server has in `models`, for the plugin or for the agent.",
}

LONGEST = 300  # characters of what a server says


class BrokenOff(Exception):
    """An event of the stream says that the model failed."""

    def __init__(self, code: str | None, message: str | None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message or "it gave no reason"


class Faults:
    """Makes the errors of one call."""

    def __init__(self, *, model: str, key: str, server: str, timeout: float) -> None:
        self._model = model
        self._key = key
        self._where = f" at {server}" if server else ""
        self._timeout = timeout

    def of(self, error: Exception) -> ProviderError:
        """What an exception of the SDK, of its HTTP client or of reading the stream means."""
        import httpx2
        import openai

        if isinstance(error, BrokenOff):
            return self._coded(error.code, None, error.message)
        if isinstance(error, (TimeoutError, openai.APITimeoutError, httpx2.TimeoutException)):
            return self._error("timeout", f"did not answer within {self._timeout:g} s")
        if isinstance(error, openai.APIStatusError):
            return self._status(error)
        if isinstance(error, (openai.APIConnectionError, httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError)):
            return self._error("connection", f"could not be reached, or hung up ({self._cause(error)})")
        if isinstance(error, openai.APIError):
            return self._coded(error.code, error.type, error.message)
        if isinstance(error, openai.OpenAIError):
            return self._error("invalid", f"could not be asked: {error}")
        return self._error("invalid", f"did not speak the protocol ({type(error).__name__}: {error})")

    def without_key(self, missing: str) -> ProviderError:
        """There is no key."""
        return self._error("auth", "cannot be asked", remedy=missing)

    def incomplete(self) -> ProviderError:
        """The stream ended without the reason to finish."""
        return self._error("incomplete", "ended its answer without saying that it is complete")

    def unreadable_call(self, name: str, arguments: str, *, cut: bool) -> ProviderError:
        """A call whose name is missing or whose arguments are no JSON object; ``cut`` by the limit of tokens."""
        what = f"asked to call {name or 'something without a name'} with arguments that are no JSON object"
        if cut:
            return self._error("incomplete", f"{what}: they were cut at the token limit", remedy="Raise the limit.")
        return self._error("invalid", f"{what}: {arguments}", remedy="Try again, or choose a larger model.")

    def _status(self, error: APIStatusError) -> ProviderError:
        status = error.status_code
        body = error.body if isinstance(error.body, dict) else {}
        said = str(body.get("message") or error.message)
        reason = CODES.get(error.code or "") or CODES.get(error.type or "")
        reason = reason or REASONS.get(status, "server" if status >= 500 else "invalid")
        return self._error(
            reason,
            f"answered with status {status}: {said}",
            remedy=SPECIAL_REMEDIES.get(error.code or "", ""),
            retry_after=_seconds(error.response.headers.get("retry-after")),
        )

    def _coded(self, code: str | None, kind: str | None, message: str) -> ProviderError:
        reason = CODES.get(code or "") or CODES.get(kind or "") or "server"
        return self._error(reason, f"broke off: {message}", remedy=SPECIAL_REMEDIES.get(code or "", ""))

    def _cause(self, error: BaseException) -> str:
        cause = error.__cause__ or error
        return f"{type(cause).__name__}: {cause}".rstrip(": ")

    def _error(self, reason: str, what: str, *, remedy: str = "", retry_after: float | None = None) -> ProviderError:
        what = " ".join(what.split())
        if self._key:  # some servers repeat it
            what = what.replace(self._key, "(the key)")
        if len(what) > LONGEST:
            what = f"{what[:LONGEST]}…"
        message = f"openai{self._where}, model {self._model}, {what.rstrip('.')}."
        return ProviderError(message, reason=reason, retry_after=retry_after, remedy=remedy or REMEDIES[reason])


def _seconds(header: str | None) -> float | None:
    """A ``Retry-After`` (RFC 9110, 10.2.3): seconds, or a date."""
    if not header:
        return None
    try:
        seconds = float(header)
    except ValueError:
        from datetime import UTC, datetime
        from email.utils import parsedate_to_datetime

        try:
            date = parsedate_to_datetime(header)
        except ValueError:
            return None
        seconds = (date.replace(tzinfo=date.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
