"""One tenant of a whole stack sends bombs: `make bombs`, for it measures times."""
