"""What every route needs: keys, limits, problems, parsing, held answers, the OpenAPI document.

Imports bodies and current.
"""
