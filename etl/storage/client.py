"""The S3 client, and errors that name the object, what went wrong and the remedy.

Requests are retried by botocore's `standard` mode: exponential backoff with full jitter.
Source: AWS SDKs reference guide, "Retry behavior".
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from etl.storage.config import S3Config
from etl.storage.location import Location
from schemas.errors import FoundryError, InputError, StepError

_CAP_SECONDS = 20.0
_CREDENTIALS = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
_BAD_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken",
             "InvalidClientTokenId", "AuthFailure")  # fmt: skip
_MISSING = ("404", "NoSuchKey", "NotFound")


class MissingObjectError(InputError, FileNotFoundError):
    """There is no such object."""


@lru_cache(maxsize=8)
def s3_client(config: S3Config) -> Any:
    """The process's client for `config`; boto3's clients may be shared by threads."""
    import boto3
    from botocore.config import Config

    settings = Config(
        region_name=config.region or None,
        s3={"addressing_style": "path" if config.path_style else "auto"},
        retries={"mode": "standard", "total_max_attempts": config.max_attempts},
        max_pool_connections=config.max_concurrency + 2,
        connect_timeout=config.timeout_seconds,
        read_timeout=config.timeout_seconds,
    )
    # A session of its own: the default one is not safe for threads.
    session = boto3.session.Session()
    return session.client("s3", endpoint_url=config.endpoint_url or None, config=settings)


def backoff(attempt: int) -> None:
    """Sleeps before the next try: full jitter, so that many workers do not come back together."""
    time.sleep(random.uniform(0, min(_CAP_SECONDS, 0.1 * 2**attempt)))  # noqa: S311


@contextmanager
def explained(place: Location) -> Iterator[None]:
    """Turns botocore's errors into `InputError` (what the user must mend) and `StepError` (what
    may pass: run again), each naming `place`."""
    from botocore import exceptions as failed

    try:
        yield
    except failed.ClientError as error:
        raise _refusal(place, error) from error
    except (failed.NoCredentialsError, failed.PartialCredentialsError,
            failed.CredentialRetrievalError) as error:  # fmt: skip
        raise InputError(f"{place}: no credentials; {_CREDENTIALS}") from error
    except (failed.ParamValidationError, failed.NoRegionError) as error:
        raise InputError(f"{place}: {error}; correct the path or the s3 settings") from error
    except failed.BotoCoreError as error:
        raise StepError(
            f"{place}: {error}; check s3.endpoint_url and the network, then run again"
        ) from error


def _refusal(place: Location, error: Any) -> FoundryError:
    told = error.response.get("Error", {})
    code, operation = str(told.get("Code", "")), error.operation_name
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    if code == "NoSuchBucket":
        return MissingObjectError(f"{place}: no bucket {place.bucket}; create it or mend the path")
    if code in _MISSING:
        return MissingObjectError(f"{place}: no such object; check bucket and key")
    if code in _BAD_KEYS:
        return InputError(f"{place}: credentials refused ({code}); {_CREDENTIALS}")
    if code in ("AccessDenied", "403") or status == 403:
        remedy = "allow it as deploy/s3/reader.json and writer.json do"
        return InputError(f"{place}: {operation} denied; {remedy}")
    if code in ("PreconditionFailed", "412"):
        return StepError(f"{place}: changed while it was read; run again")
    return StepError(f"{place}: {operation} failed: {code} {told.get('Message', '')}; run again")
