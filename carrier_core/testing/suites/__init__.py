"""The conformance suites: one class for each sort of thing, one test for each law.

A plugin's test subclasses the class of its sort, overrides its first fixture, and is told law by law what the host relies
on. The docstring of a test is the law.
"""
