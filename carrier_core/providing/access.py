"""Access to a service: its address, the key for it, and what may be shown of them."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit


class Access:
    """Where a service is, and the key that it wants; empty for none.

    ``home`` is the host of those whose protocol it is: they want a key, and are asked where there is no ``address``. A server of
    one's own may need none. ``key_name`` and ``address_name`` are what an operator sets; without the latter, an address is no
    way out for whoever has no key.

    ``host`` is the one that is asked, and ``is_home`` says that it is theirs: that host itself or one below it, as those of their
    regions are. ``shown`` is the address without what may be a secret in it, and ``secrets``
    are what no error and no log may show.
    """

    def __init__(self, address: str, key: str, *, home: str, key_name: str, address_name: str = "") -> None:
        url = urlsplit(address)
        self.address = address
        self.key = key.strip()
        self.key_name = key_name
        self.host = (url.hostname or "") if address else home
        self.is_home = self.host == home or self.host.endswith(f".{home}")
        self.shown = address and f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
        password = url.password or url.username or ""  # a name alone is a token
        self.secrets = (self.key, password, unquote(password), url.query)
        self._address_name = address_name

    def missing(self) -> str:
        """What is missing, as a sentence with the remedy; empty where nothing is."""
        if not (self.key.isascii() and self.key.isprintable()):  # no header may hold it, and errors would show it
            return f"The key is none: it has characters that no key has. Correct {self.key_name}."
        if self.key or not self.is_home:
            return ""
        instead = f", or {self._address_name} for a server that needs none" if self._address_name else ""
        return f"No key is set. Set {self.key_name}{instead}."
