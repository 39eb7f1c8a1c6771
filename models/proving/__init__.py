"""Proof that a network answers here as it does at its author's.

    references   what its own library answers, on the caller's machine (python -m models.proving)
    check        that, with the pictures, as it travels; read by the API
    differences  how far our answers are from it, in the field's measures
    suspects     what else the author may have done: tried when they differ
    proof        all of it together, by the worker that tries a version out

`check` and `differences` need no torch.
"""
