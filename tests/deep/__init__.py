"""Long proofs, which are too much for every day: `make deep` runs them and writes docs/deep.md.

`parts` lists them, `running` runs one, `report` writes down what was seen.
"""
