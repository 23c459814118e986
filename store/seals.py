"""A JSON document that carries the digest of itself, so that a flipped bit in it is seen."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def seal_of(document: Mapping[str, Any]) -> str:
    """SHA-256 of a document's content, whatever the layout of its text; raises as `json.dumps`."""
    canonical = json.dumps(document, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
