"""Mutations of the code: faults planted one at a time, and the tests that must notice each.

`table` lists them, `running` plants them in a private copy of the tree, `report` writes down what
came of it, in docs/mutations.md.
"""
