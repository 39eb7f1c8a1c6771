"""Pixels on their way to a network: resized, cropped, scaled; frames of films likewise.

Imports media and records.
"""
