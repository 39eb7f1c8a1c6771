"""What people look at: why a job waits, why items failed, the pictures behind them, who works.

Imports results, buckets, inputs, tables and base; reads, and changes nothing.
"""
