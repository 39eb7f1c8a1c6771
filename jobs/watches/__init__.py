"""Watches: folders of buckets that are listed again and again; what is new in them becomes jobs.

watches.py    made, shown, paused, resumed, deleted
polling.py    one look at one folder: leased, listed, compared, written
looks.py      what comes of it, and how it is stored
arrivals.py   what is new, as a merge of what is listed with what was seen: pure code
sorting.py    a listing in the order of its addresses; seen.py: the blob of what was seen
Imports intake and the rooms below it.
"""
