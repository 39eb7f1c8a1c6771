"""What comes after a job: it is compared, kept for a while, deleted; strays are swept up.

Imports intake and the rooms above it.
"""
