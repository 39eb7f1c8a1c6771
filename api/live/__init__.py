"""Events as they happen (SSE): what a stream begins with, and what all of a process look at.

Imports web and the rooms below it; api.front writes the streams.
"""
