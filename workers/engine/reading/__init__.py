"""Items to bytes: range reads, members, URLs; and the chunk that goes from stage to stage.

What fetches may take is kept in one budget. Imports egress and holding.
"""
