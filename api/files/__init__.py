"""Files: those that callers upload, and those that a finished job has.

Imports results, web and what these stand on.
"""
