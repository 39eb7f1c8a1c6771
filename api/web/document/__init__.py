"""What the OpenAPI document says beside routes and schemas: names, examples, webhooks.

Pure functions over the document; imports nothing of the house.
"""
