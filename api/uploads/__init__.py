"""Uploads that resume, by the tus protocol (https://tus.io/protocols/resumable-upload).

Imports files, web and what these stand on.
"""
