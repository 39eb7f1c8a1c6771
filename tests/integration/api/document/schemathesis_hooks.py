"""Loaded by Schemathesis, by the variable SCHEMATHESIS_HOOKS: bodies that it cannot send itself."""

import schemathesis

schemathesis.serializer.alias("application/offset+octet-stream", "application/octet-stream")
