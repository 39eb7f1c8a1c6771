"""ONNX files: what they are examined for, described as, and run by.

`facts` and `examining` need no torch: strangers' files are parsed behind walls, and only what is
found there is told. `describing` makes a record of it, `session` runs the file by onnxruntime, and
`heads` bring what it gives into the form that its task reads.
"""
