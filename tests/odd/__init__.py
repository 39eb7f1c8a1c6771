"""Odd but real media of known content, and the answers that independent decoders give."""
