"""Strangers' bytes to upright pixels: pictures and films. Needs no torch, no database, no network.

    bytes ──formats──► what it is ──headers──► how large it says it is ──pictures──► pixels, upright
    file ──formats──► what it is ──containers──► what it claims ──films──► frames, with their times

Whatever is in here may crash, hang or burst: it runs in decoder processes (`workers.walls`).
"""
