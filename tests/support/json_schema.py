"""The part of JSON Schema 2020-12 that our published schemas use, so that tests can hold parser and schema together."""

import re


def valid(value: object, schema: dict, root: dict | None = None) -> bool:
    """Tell whether the schema allows the value."""
    root = root or schema
    if "$ref" in schema:
        return valid(value, root["$defs"][schema["$ref"].rsplit("/", 1)[1]], root)
    if "const" in schema:
        return type(value) is type(schema["const"]) and value == schema["const"]
    if "enum" in schema:
        return any(type(value) is type(item) and value == item for item in schema["enum"])
    checks = {"object": _object, "array": _array, "string": _string, "integer": _integer}
    return checks[schema["type"]](value, schema, root)


def _object(value: object, schema: dict, root: dict) -> bool:
    assert schema["additionalProperties"] is False
    return (
        isinstance(value, dict)
        and set(schema["required"]) <= value.keys() <= schema["properties"].keys()
        and all(valid(item, schema["properties"][name], root) for name, item in value.items())
    )


def _array(value: object, schema: dict, root: dict) -> bool:
    return (
        isinstance(value, list)
        and schema.get("minItems", 0) <= len(value) <= schema["maxItems"]
        and not (schema.get("uniqueItems") and len({str(item) for item in value}) != len(value))
        and all(valid(item, schema["items"], root) for item in value)
    )


def _string(value: object, schema: dict, _root: dict) -> bool:
    return (
        isinstance(value, str)
        and schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 1 << 30)
        and re.fullmatch(schema.get("pattern", ".*").removeprefix("^").removesuffix("$"), value, re.S) is not None
    )


def _integer(value: object, schema: dict, _root: dict) -> bool:
    return type(value) is int and schema["minimum"] <= value <= schema["maximum"]
