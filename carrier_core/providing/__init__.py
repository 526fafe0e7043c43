"""Providing for whoever writes a model provider: what every one of them has to do, whichever protocol its service speaks.

An :class:`Answer` puts the pieces of a stream together and says what is wrong with them. :class:`Patience` ends a call to a
service that falls silent. :class:`Faults` turns whatever fails into a :class:`~carrier_core.errors.ProviderError` that names
provider, model and remedy, and never a secret. :class:`Access` is the address and the key, :class:`Connection` the client of an
SDK that all calls share; :func:`read_out` and :func:`quieten` are for its streams and its loggers.
"""

from carrier_core.providing.access import Access
from carrier_core.providing.answer import Answer
from carrier_core.providing.connection import Connection, quieten, read_out
from carrier_core.providing.faults import Faults, seconds_of
from carrier_core.providing.patience import Patience, Silent

__all__ = ["Access", "Answer", "Connection", "Faults", "Patience", "Silent", "quieten", "read_out", "seconds_of"]
