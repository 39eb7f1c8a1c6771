"""What is signed in the name of an API key, by a key that is derived from its stored hash.

Sessions of browsers and links that show a job are such signatures. Nothing more is stored for them,
every process can check them, and they are good while the API key is. An operator's key is part of
it where there is one, so that who reads the database alone can sign nothing.
"""

import hashlib
import hmac
import secrets

from jobs.tenants.keys import StoredKey


def derive(row: StoredKey | None, purpose: str, operators_key: str) -> bytes:
    """Give the key for signatures of a purpose; of no API key, one that nobody knows."""
    # So that timing does not tell which ids exist.
    secret = row.secret_sha256 if row is not None else secrets.token_hex(32)
    said = f"pixelmill {purpose}.{operators_key}".encode()
    return hmac.digest(secret.encode(), said, hashlib.sha256)


def signature(signing_key: bytes, text: str) -> str:
    """Sign a text; gives 64 hexadecimal digits."""
    return hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()
