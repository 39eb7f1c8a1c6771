"""What trainings leave: pickles, checkpoints of several state dicts, prefixes of names.

Stands on records; only `state_dicts` takes torch.
"""
