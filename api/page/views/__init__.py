"""What each page shows and does, a file for each; every one reads by the tenant of the session.

Imports the blueprint, forms and words of the page, and the rooms of the API beside it.
"""
