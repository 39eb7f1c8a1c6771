"""How networks are trained: the shipped ones, each by its recipe, and others on a folder per class.

recipes.py          what can be chosen of a training; needs no torch
datasets.py         a folder, or archive, with one folder a class → training and validation rows
examples.py         rows → batches of pictures, or of windows of frames
augmentation.py     the same picture, a little different
optimizers.py       Adam, SGD, AdamW
fitting.py          the loop, which can be broken off at any step and goes on the same
progress.py         what is known of it so far: epochs, best, confusion
footprint.py        the memory that it will need, before any is taken
new_records.py      the record of what comes of it
folder_training.py  the command for all that
digits_training.py, scene_training.py, clip_training.py    of the shipped networks
"""
