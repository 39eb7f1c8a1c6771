"""What runs inside the walls: one file a kind of process, each a `workers.walls.forking.Server`.

The fork servers say which kinds they serve, so that none imports the libraries of another's.
"""
