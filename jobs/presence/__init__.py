"""Which worker processes live, and which of them an operator has drained.

Imports tables and base.
"""
