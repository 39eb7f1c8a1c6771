"""The reference of all calls at /docs, where each can be tried: Swagger UI over /openapi.json.

Imports api.assets alone.
"""
