"""Scenarios: conversations with expectations, run against agents and models, and figures of how well these answer.

``file`` reads them, ``stage`` sets a host up for one, ``runner`` plays them, ``expectations`` and ``judge`` look at what came,
``metrics`` makes figures of it and ``comparison`` tells two runs apart. :mod:`carrier_core.testing` has them as tests.
"""
