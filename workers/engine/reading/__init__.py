"""Items to bytes: range reads, members, URLs; and the chunk that goes from stage to stage.

Imports egress.
"""
