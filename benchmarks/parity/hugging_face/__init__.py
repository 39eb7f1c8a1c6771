"""Tiny networks of transformers with random weights, held against transformers itself."""
