"""Networks of two towers, CLIP's and SigLIP's, that hold pictures against texts.

A folder's tokenizer is data as everything else: its parts are held against a list, and what texts
may grow to is bounded before one of them is read.
"""
