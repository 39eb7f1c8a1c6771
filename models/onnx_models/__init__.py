"""ONNX files, in two rooms: `examination` of strangers' files, behind walls, and their `reading`.

What is found in the one is told as facts; the other makes a record of them, runs the file, and
brings what it gives into the form that its task reads. `reading` imports `examination`, never the
other way.
"""
