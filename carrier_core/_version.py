"""The one place where the version of ``carrier-core`` is written; hatch reads it from here."""

__version__ = "0.1.0"
