"""Benchmarks: CPU time, the least of several runs, beside a calibration loop of the same run. ``make bench`` runs them."""
