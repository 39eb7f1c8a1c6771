"""What a stranger's ONNX file is, from its bytes to facts: called behind walls, and without torch.

`examining` goes through all of it; `opening` is how onnxruntime is opened, here and in production.
"""
