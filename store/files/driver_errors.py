"""Translate the errors of object store drivers to the store's own.

Drivers raise their own libraries' exceptions. These are recognised by the names of
their classes and the codes of their services, so no driver needs to be installed.
"""

import errno
import os
import re

from store.errors import StoreAccessError, StoreUnreachableError

_CREDENTIAL_ERRORS = frozenset(
    {"NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError"}
    | {"NoAuthTokenError", "SSOError", "TokenRetrievalError", "ProfileNotFound"}
    | {"DefaultCredentialsError", "RefreshError", "ClientAuthenticationError"}
)
_NETWORK_ERRORS = frozenset(
    {"ConnectionError", "HTTPClientError", "ResponseParserError"}  # botocore
    | {"ClientConnectionError", "ClientPayloadError"}  # aiohttp
    | {"ConnectionError", "TimeoutError", "FSTimeoutError", "IncompleteRead"}
)
_PASSING_CODES = frozenset(
    {"InternalError", "ServiceUnavailable", "SlowDown", "RequestTimeout", "OperationAborted"}
    | {"ConditionalRequestConflict", "TooManyRequests", "500", "502", "503", "504"}
)
_EXISTS_CODES = frozenset({"PreconditionFailed", "412"})
_CREDENTIAL_CODES = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken"}
    | {"InvalidToken", "RequestTimeTooSkewed", "401", "403"}
)

_KEYS = (
    "the credentials (for S3: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE), and "
    "what they may do"
)
_ENDPOINT = "the network up, and the endpoint right (for S3: AWS_ENDPOINT_URL)?"


def translated(error: Exception, where: str) -> Exception:
    """Translate a driver's error to one of the store's; other errors are returned unchanged."""
    code = _response_code(error)
    families = {kind.__name__ for kind in type(error).__mro__}
    if code in _EXISTS_CODES:
        return FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), where)
    if isinstance(error, PermissionError) or code in _CREDENTIAL_CODES:
        return StoreAccessError(f"{where!r}: access is refused ({_reason(error)}); check {_KEYS}")
    if families & _CREDENTIAL_ERRORS:
        return StoreAccessError(f"{where!r}: no usable credentials ({error}); set {_KEYS}")
    if code in _PASSING_CODES or families & _NETWORK_ERRORS:
        return StoreUnreachableError(f"{where!r}: no connection ({_reason(error)}); is {_ENDPOINT}")
    if isinstance(error, FileNotFoundError):
        reason = _reason(error)  # a path alone, or words such as "the bucket does not exist"
        missing = reason if " " in reason else os.strerror(errno.ENOENT)
        return FileNotFoundError(errno.ENOENT, missing, where)
    if isinstance(error, OSError) or type(error).__module__ in ("builtins", "exceptions"):
        return error
    return OSError(errno.EIO, f"{type(error).__name__}: {error}", where)


def _response_code(error: Exception) -> str | None:
    """Return the service's code of a botocore error ("AccessDenied", "503", ...), if any."""
    for candidate in (error, error.__cause__):
        response = getattr(candidate, "response", None)
        if isinstance(response, dict):
            return str(response.get("Error", {}).get("Code"))
    return None


def _reason(error: Exception) -> str:
    text = re.sub(r"^\[Errno \d+\] ", "", str(error)).strip()
    return text or type(error).__name__
