"""Folders of labelled pictures, read and checked before anything of them is sent.

labelled.py  which kind of folder a task takes      classes.py  a folder a class
coco.py      boxes in a COCO file                   masks.py    a PNG of class ids beside each
labels.py    names of classes, held against labels  png.py, rle.py  what masks are read and sent as
"""
