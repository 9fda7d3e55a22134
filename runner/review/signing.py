"""Signs certificates with a key that the reviewer holds, so that an edited one is found out.

The signature is an HMAC-SHA256 (RFC 2104) over the certificate's fingerprint and the signer.
"""

from __future__ import annotations

import getpass
import hashlib
import hmac
import os
import socket
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import RehearsalError, UsageError
from runner.review.certificate import Signature

if TYPE_CHECKING:
    from runner.review.certificate import Certificate

ENVIRONMENT = "TRUEUP_SIGN_KEY"
_LEAST = 32  # characters: as many bits as an HMAC-SHA256 can use, in hex even twice as long
_MAKE = "make one: openssl rand -hex 32"


def read_key(path: Path | None) -> bytes | None:
    """The key of a file, else the text of TRUEUP_SIGN_KEY, else None.

    Args:
        path: the file; white space around the key does not count.

    Raises:
        UsageError: the file cannot be read, or the key is too short.
    """
    origin, text = ENVIRONMENT, os.environ.get(ENVIRONMENT, "").encode()
    if path is not None:
        try:
            origin, text = str(path), path.read_bytes()
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror}", hint=_MAKE) from None
    key = text.strip()
    if not key and path is None:
        return None
    if len(key) < _LEAST:
        raise UsageError(f"the key in {origin} has fewer than {_LEAST} characters", hint=_MAKE)
    return key


def sign(certificate: Certificate, key: bytes) -> Certificate:
    """The certificate with a signature in the name of the account that runs this."""
    by = f"{_account()}@{socket.gethostname()}"
    return replace(
        certificate, signature=Signature(key_id(key), by, _hmac(certificate.fingerprint, by, key))
    )


def check(certificate: Certificate, key: bytes, origin: str) -> None:
    """Refuse a certificate that was not signed with a key.

    Args:
        certificate: as it was read.
        key: the reviewer's.
        origin: where it comes from, for errors.

    Raises:
        RehearsalError: it is not signed, or with another key, or was changed since.
    """
    found = certificate.signature
    again = "rehearse again with this key: trueup rehearse --sign-key FILE"
    if found is None:
        raise RehearsalError(f"{origin}: the certificate is not signed", hint=again)
    if found.key != key_id(key):
        raise RehearsalError(
            f"{origin}: the certificate is signed with key {found.key}, expected {key_id(key)}",
            hint=again,
        )
    expected = _hmac(certificate.fingerprint, found.by, key)
    if not hmac.compare_digest(_bytes(found.hmac), _bytes(expected)):
        raise RehearsalError(
            f"{origin}: the signature is not this certificate's: it was changed since", hint=again
        )


def key_id(key: bytes) -> str:
    """The name of a key, which does not tell the key."""
    return hashlib.sha256(b"trueup sign key " + key).hexdigest()[:12]


def _account() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as containers have
        return str(os.geteuid())


def _hmac(fingerprint: str, by: str, key: bytes) -> str:
    return hmac.new(key, _bytes(f"trueup rehearsal\n{fingerprint}\n{by}"), "sha256").hexdigest()


def _bytes(text: str) -> bytes:
    """A text as bytes, also one that UTF-8 does not have, as JSON may hold it."""
    return text.encode("utf-8", "surrogatepass")
