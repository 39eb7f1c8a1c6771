"""What opens a bucket, checked: the members of each kind, and nothing that could steer a request.

    s3    access_key_id, secret_access_key, session_token, region     or region alone: anonymous
    gs    service_account (client_email, private_key, private_key_id) or nothing: anonymous
    az    account, account_key or sas_token                           or account alone: anonymous

A service account's file also names addresses to call; these are dropped.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

from jobs.base.settings import Settings, SettingsError
from jobs.inputs.addresses import Network, UrlNotAllowed, check_url

Kind = Literal["s3", "gs", "az"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_MEMBERS: Mapping[Kind, tuple[str, ...]] = {
    "s3": ("access_key_id", "secret_access_key", "session_token", "region"),
    "gs": ("service_account",),
    "az": ("account", "account_key", "sas_token"),
}
_ACCOUNT_MEMBERS = ("client_email", "private_key", "private_key_id")
_REGION = re.compile(r"[a-z0-9-]{1,32}")
_AZURE_ACCOUNT = re.compile(r"[a-z0-9]{3,24}")
_LONGEST = 16 * 1024
_DEFAULT_REGION = "us-east-1"


class CredentialsError(ValueError):
    """The credentials cannot be used; the message names the member and never its value."""

    def __init__(self, message: str, param: str) -> None:
        super().__init__(message)
        self.param = param


@dataclass(frozen=True, slots=True)
class Credentials:
    """What opens buckets of one kind at one endpoint (empty: the provider's own)."""

    kind: Kind
    endpoint: str
    secret: Mapping[str, str] = field(repr=False)


def check_credentials(kind: Kind, said: Mapping[str, Any]) -> dict[str, str]:
    """Give the members of a kind's credentials as they are kept; raises CredentialsError."""
    for name, value in said.items():
        if name not in _MEMBERS[kind]:
            allowed = ", ".join(_MEMBERS[kind])
            raise CredentialsError(f"{ascii(name)[:80]} is not known here; use {allowed}.", name)
        if name != "service_account" and not _is_text(value):
            raise CredentialsError(f"`{name}` must be printable text without blanks.", name)
    checks = {"s3": _check_s3, "gs": _check_gs, "az": _check_az}
    return checks[kind](said)


def check_endpoint(endpoint: str, networks: tuple[Network, ...]) -> str:
    """Give an endpoint as scheme, host and port; raises CredentialsError.

    Plain HTTP is for hosts in the operator's networks alone, which the guard sees to.
    """
    if not endpoint:
        return ""
    try:
        url = check_url(endpoint, allow_networks=networks)
    except UrlNotAllowed as err:
        raise CredentialsError(
            f"`endpoint` is refused: {str(err).rstrip('.')}.", "endpoint"
        ) from err
    if url.target != "/" or "#" in endpoint:
        raise CredentialsError(
            "`endpoint` is a scheme, a host and a port, without a path.", "endpoint"
        )
    if url.scheme == "http" and not networks:
        raise CredentialsError("`endpoint` must be https://.", "endpoint")
    return f"{url.scheme}://{url.host_header}"


def server_credentials(settings: Settings) -> dict[Kind, Credentials]:
    """Give the server's own credentials by their kind; raises SettingsError."""
    found: dict[Kind, Credentials] = {}
    for kind, said in json.loads(settings.bucket_credentials or "{}").items():
        try:
            if kind not in KINDS:
                raise CredentialsError(f"{kind!r} is none of {', '.join(KINDS)}.", kind)
            endpoint = check_endpoint(said.pop("endpoint", ""), settings.bucket_networks)
            known = cast("Kind", kind)
            found[known] = Credentials(known, endpoint, check_credentials(known, said))
        except CredentialsError as err:
            raise SettingsError(f"PIXELMILL_BUCKET_CREDENTIALS is not usable: {err}") from None
    return found


def _check_s3(said: Mapping[str, Any]) -> dict[str, str]:
    kept = dict(said)
    kept.setdefault("region", _DEFAULT_REGION)
    if not _REGION.fullmatch(kept["region"]):
        raise CredentialsError("`region` is no region's name, such as eu-central-1.", "region")
    both = {"access_key_id", "secret_access_key"}
    if (both | {"session_token"}) & kept.keys() and not both <= kept.keys():
        raise CredentialsError(
            "`access_key_id` and `secret_access_key` belong together.", "access_key_id"
        )
    return kept


def _check_gs(said: Mapping[str, Any]) -> dict[str, str]:
    account = said.get("service_account")
    if account is None:
        return {}
    if isinstance(account, str):
        try:
            account = json.loads(account)
        except ValueError:
            account = None
    if not isinstance(account, dict) or not all(
        isinstance(account.get(name), str) for name in _ACCOUNT_MEMBERS
    ):
        raise CredentialsError(
            f"`service_account` is the JSON of a key, with {', '.join(_ACCOUNT_MEMBERS)}.",
            "service_account",
        )
    kept = {name: account[name] for name in _ACCOUNT_MEMBERS}
    if sum(map(len, kept.values())) > _LONGEST:
        raise CredentialsError("`service_account` is too long.", "service_account")
    return {"service_account": json.dumps(kept)}


def _check_az(said: Mapping[str, Any]) -> dict[str, str]:
    if not _AZURE_ACCOUNT.fullmatch(said.get("account", "")):
        raise CredentialsError("`account` is an account's name, 3 to 24 letters.", "account")
    if "account_key" in said and "sas_token" in said:
        raise CredentialsError("Give `account_key` or `sas_token`, not both.", "sas_token")
    return dict(said)


def _is_text(value: object) -> bool:
    if not isinstance(value, str) or not 1 <= len(value) <= _LONGEST:
        return False
    return value.isascii() and value.isprintable() and " " not in value
