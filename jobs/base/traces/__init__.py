"""One trace a job, from its request to its webhook: what is told of it, and to whom.

spans.py   what everybody sees; without OpenTelemetry all of it does nothing
opening.py whether traces are wanted, and whether they can be had
otel.py    OpenTelemetry's spans, imported only when they are wanted

Imports nothing of the house.
"""
