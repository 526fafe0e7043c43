"""The public testing kit."""

__all__: list[str] = []
