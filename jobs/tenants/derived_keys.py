"""What is signed in the name of an API key, by a key that is derived from its stored hash.

Sessions of browsers and links that show a job are such signatures. Nothing more is stored for them,
every process can check them, and they are good while the API key is. An operator's key is part of
it where there is one, so that who reads the database alone can sign nothing. Where an operator
turns that key, the newest one signs, and what the older ones have signed is good while they stand.
"""

import hashlib
import hmac
import secrets

from jobs.tenants.keys import StoredKey


def derive(row: StoredKey | None, purpose: str, operators_keys: tuple[str, ...]) -> list[bytes]:
    """Give the keys for signatures of a purpose, one for each of the operator's, newest first.

    The first signs, each of them verifies. Of no API key there is one that nobody knows.
    """
    # So that timing does not tell which ids exist.
    secret = row.secret_sha256 if row is not None else secrets.token_hex(32)
    parts = list(operators_keys) or [""]
    if len(parts) > 1:
        # What was signed before a key could be turned: all that stood in the setting was the key.
        parts.append(",".join(operators_keys))
    said = [f"pixelmill {purpose}.{each}".encode() for each in parts]
    return [hmac.digest(secret.encode(), each, hashlib.sha256) for each in said]


def signature(signing_key: bytes, text: str) -> str:
    """Sign a text; gives 64 hexadecimal digits."""
    return hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()


def key_that_signed(signing_keys: list[bytes], text: str, given: str) -> bytes | None:
    """Give the key by which a text has this signature; None where it is by none of them."""
    for each in signing_keys:
        if hmac.compare_digest(given, signature(each, text)):
            return each
    return None
