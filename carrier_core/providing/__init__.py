"""Providing for whoever writes a model provider: what every one of them has to do, whichever protocol its service speaks.

An :class:`Answer` puts the pieces of a stream together and says what is wrong with them. :class:`Patience` ends a call to a
service that falls silent. :class:`Faults` turns whatever fails into a :class:`~carrier_core.errors.ProviderError` that names
provider, model and remedy, and never a secret. :class:`Access` is the address and the key, :class:`Connection` the client of an
SDK that all calls share; :func:`read_out` and :func:`quieten` are for its streams and its loggers.

:func:`tell_usage` and :func:`may_be_billed` say what a call costs that may yet break off; an answer and patience do so by
themselves. A :class:`Meter` hears it: the host's, or a test's.
"""

from carrier_core.metering import Meter, may_be_billed, tell_usage
from carrier_core.providing.access import Access
from carrier_core.providing.answer import Answer
from carrier_core.providing.connection import Connection, quieten, read_out
from carrier_core.providing.faults import Faults, seconds_of
from carrier_core.providing.patience import Patience, Silent

__all__ = [
    "Access",
    "Answer",
    "Connection",
    "Faults",
    "Meter",
    "Patience",
    "Silent",
    "may_be_billed",
    "quieten",
    "read_out",
    "seconds_of",
    "tell_usage",
]
