"""What each source's own library answers, with its own preparation of pictures.

A reference is made for one file of weights and gives predictions for a picture. None of them uses
anything of ours: what is compared with must not share our faults. A new source is one file and one
line in `table`.
"""
