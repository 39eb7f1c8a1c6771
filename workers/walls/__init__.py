"""Walls: strangers' bytes are decoded in processes that have nothing and can reach nothing.

    worker or io process                  fork server                     decoder process
    ────────────────────                  ───────────                     ───────────────
    ForkServer ──── "fork", with fds ───► imported everything, ──fork──►  confined, then serves one
                                          holds nothing                   of the kinds of `inside`
    PictureDecoders ◄──────── a socket of messages, and shared memory ──► inside/pictures.py
    Film            ◄──────── the same, and the film's own file ────────► inside/films.py
    WalledArchives  ◄──────── a socket alone: the parent reads for it ──► inside/archives.py
    NetworkExaminer ◄──────── a socket, and the model file, sealed ─────► inside/networks.py

The last comes from a fork server of its own (`onnx_server`), which lives for one file.

A decoder process has no torch, no database, no credentials in its environment, and once it is
confined (`confinement`) it can open no file, no socket and no process, and take no more memory
than it was given. It ends when its socket does, so that none outlives its worker. One that crashes,
hangs or bursts is replaced in milliseconds, and costs the item that it was at.

What a decoder process says is not believed further than an item goes: places in shared memory are
held against its size, and memory is filled with a pattern before, and looked through after.
"""
