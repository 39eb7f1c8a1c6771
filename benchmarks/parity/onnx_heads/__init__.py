"""Heads of ONNX files, held against decoders that are not ours, and real files from end to end."""
