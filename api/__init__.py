"""The HTTP face of Pixelmill: what callers send becomes jobs, and what became of them goes back.

The walk of one request through this package:

    logs (request id) ─► auth (key → tenant) ─► rate_limits ─► routes/… ─┬─► views, result_rows
                                                     │                   │
                                  parsing, multipart, schemas, submitting └─► problems (any error)

Nothing here imports a network, a worker or a table's meaning: what a call does stands in `jobs`.
"""
