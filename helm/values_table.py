"""The table of values in README.md, made from the `# --` comments of values.yaml.

    python helm/values_table.py           writes the table into README.md
    python helm/values_table.py --check   exit 1 when README.md holds another table

Owns:    reading comments, the table's form. Needs PyYAML and nothing else.
Rules:   1 every value has a `# --` comment, else nothing is written: a value without a word is refused
         2 a mapping with a `# --` comment of its own is one row; any other mapping is a row for each of its members
         3 a comment that is not directly above its key, or does not begin with `# --`, is for readers of values.yaml only
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import yaml

CHART = Path(__file__).resolve().parent
BEGIN = "<!-- values: made by values_table.py from values.yaml, do not edit -->"
END = "<!-- end of values -->"
MARK = "# --"


class UndocumentedValue(Exception):
    """A value without a `# --` comment."""


@dataclass(frozen=True, slots=True)
class Row:
    """One value: its path with dots, its default, what it is for."""

    path: str
    default: object
    text: str


def read_rows(source: str) -> list[Row]:
    """Return one row for every documented value, in the file's order.

    Raises:
        UndocumentedValue: naming the first value without a comment.
    """
    node = yaml.compose(source, Loader=yaml.SafeLoader)
    if not isinstance(node, yaml.MappingNode):
        raise UndocumentedValue("values.yaml is no mapping")
    return list(_rows(node, (), source.splitlines()))


def build_table(rows: list[Row]) -> str:
    """Return the table in Markdown."""
    lines = ["| value | default | meaning |", "|---|---|---|"]
    for row in rows:
        default = json.dumps(row.default, ensure_ascii=False).replace("|", "\\|")
        lines.append(f"| `{row.path}` | `{default}` | {row.text.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def insert_table(readme: str, table: str) -> str:
    """Return the README with the table between its two marks.

    Raises:
        ValueError: the marks are not there, once each and in order.
    """
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end) or BEGIN in rest or END in after:
        raise ValueError(f"README.md must hold {BEGIN} and {END}, once each")
    return f"{before}{BEGIN}\n\n{table}\n\n{END}{after}"


def main(arguments: list[str]) -> int:
    """Write the table, or compare it with `--check`."""
    readme = CHART / "README.md"
    found = readme.read_text(encoding="utf-8")
    wanted = insert_table(found, build_table(read_rows((CHART / "values.yaml").read_text(encoding="utf-8"))))
    if arguments == ["--check"]:
        if found == wanted:
            return 0
        sys.stderr.write("helm/README.md holds another table: run python helm/values_table.py\n")
        return 1
    readme.write_text(wanted, encoding="utf-8")
    return 0


def _rows(node: yaml.MappingNode, path: tuple[str, ...], lines: list[str]) -> Iterator[Row]:
    for key, value in node.value:
        here = (*path, str(key.value))
        text = _comment_above(lines, key.start_mark.line)
        if text is None and isinstance(value, yaml.MappingNode) and value.value:
            yield from _rows(value, here, lines)
        elif text is None:
            raise UndocumentedValue(f"{'.'.join(here)} has no `{MARK}` comment")
        else:
            yield Row(".".join(here), yaml.SafeLoader("").construct_object(value, deep=True), text)


def _comment_above(lines: list[str], line: int) -> str | None:
    """Return the text of the `# --` comment that ends directly above a line, or None."""
    found: list[str] = []
    for above in reversed(lines[:line]):
        stripped = above.strip()
        if not stripped.startswith("#"):
            return None
        if stripped.startswith(MARK):
            return " ".join([stripped.removeprefix(MARK).strip(), *reversed(found)])
        found.append(stripped.removeprefix("#").strip())
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
