"""What a caller may hand to `submit`: files, folders, pictures in memory, tables, addresses.

Imports wire, and the record of an uploaded file.
"""
