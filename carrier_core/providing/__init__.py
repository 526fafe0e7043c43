"""Providing for whoever writes a model provider: what every one of them has to do, whichever protocol its service speaks.

An :class:`Answer` puts the pieces of a stream together and says what is wrong with them. :class:`Patience` ends a call to a
service that falls silent. :class:`Faults` turns whatever fails into a :class:`~carrier_core.errors.ProviderError` that names
provider, model and remedy, and never a secret.
"""

from carrier_core.providing.answer import Answer
from carrier_core.providing.faults import Faults, seconds_of
from carrier_core.providing.patience import Patience, Silent

__all__ = ["Answer", "Faults", "Patience", "Silent", "seconds_of"]
