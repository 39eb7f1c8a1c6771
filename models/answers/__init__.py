"""What networks answer: masks as runs, agreement of two answers, drawing, numbers in short.

Imports media and what it stands on.
"""
