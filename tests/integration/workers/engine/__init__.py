"""The engine: shards, networks, memory, overlays."""
