"""The still formats: one file each, one line each in `table.py`.

    bytes ──table: whose magic?──► read: header walked, parts picked ──► Still ──decode──► pixels

Each `read` takes apart what the bytes say, checks it, and hands libraries a file of its own making,
of only those parts that make pixels: what is not handed on cannot be unpacked, and cannot turn,
tint or blend anything.
"""
