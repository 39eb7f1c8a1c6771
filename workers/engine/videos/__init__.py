"""One video's way: frames to windows to clips, with checkpoints on the way.

Imports the stages and what they stand on.
"""
