"""Lists of paths as Parquet files of strangers, read behind walls.

Imports what stands beside it in walls.
"""
