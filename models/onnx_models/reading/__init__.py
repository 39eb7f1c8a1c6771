"""How an ONNX file is read: `describing` makes a record of its facts, `session` runs it.

`heads` bring outputs of many kinds into the form that tasks read; `recognising` chooses one.
"""
