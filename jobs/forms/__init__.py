"""A job's results in the forms that the API and io workers write, as streams in bounded memory.

Imports kinds and the rooms below it.
"""
