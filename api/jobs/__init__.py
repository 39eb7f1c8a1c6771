"""Jobs and predictions: checked, submitted, shown, cancelled, run again.

Imports results, web and what they stand on.
"""
