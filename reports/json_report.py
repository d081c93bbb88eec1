"""report.json: the report as it is, and back."""

from typing import Any

import msgspec

from ..analyzer.errors import SourceError
from .report import SCHEMA_VERSION, Report


def to_json(report: Report) -> bytes:
    """UTF-8, indented, the same bytes for the same report."""
    try:
        data = msgspec.json.encode(report, order="deterministic")
    except UnicodeEncodeError:
        data = msgspec.json.encode(encodable(msgspec.to_builtins(report)), order="deterministic")
    return msgspec.json.format(data, indent=1) + b"\n"


def from_json(data: bytes) -> Report:
    """Raises SourceError when it is no report, or one of a newer version."""
    try:
        version = msgspec.json.decode(data, type=dict[str, msgspec.Raw]).get("schema_version")
        digits = b"" if version is None else bytes(version)
        if not digits.isdigit() or len(digits) > 9:
            raise SourceError("this is no report of queryproof: it has no schema_version")
        if int(digits) > SCHEMA_VERSION:
            raise SourceError(
                f"this report has schema version {int(digits)}, and this queryproof reads up to {SCHEMA_VERSION}: upgrade it"
            )
        return msgspec.json.decode(data, type=Report)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SourceError(f"this is no report of queryproof: {error}") from None


def json_schema() -> dict[str, Any]:
    """JSON Schema of report.json."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "queryproof report",
    } | msgspec.json.schema(Report)


def encodable(value: Any) -> Any:
    """Lone surrogates, which a hostile SQL text can hold and JSON in UTF-8 cannot, as U+FFFD."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    return [encodable(item) for item in value] if isinstance(value, (list, tuple)) else value
