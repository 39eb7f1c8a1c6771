"""What a model is, as data: record, options, labels of architectures, limits, errors. No torch.

Imports no other room.
"""
