"""When a network computes with one core, beside others, and when alone with all of them."""

# Seconds of a core for one sample from which on a network is heavy: ten times what it takes to
# decode a photo.
HEAVY_S = 0.02
