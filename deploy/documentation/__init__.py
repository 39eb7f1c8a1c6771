"""The pages of docs/reference, made of the code that they tell of: `make references` writes them.

A page is a function that gives its text, and one line in `pages.py`. Each is committed, so that it
can be read without building anything; a test fails when one is out of date.
"""
