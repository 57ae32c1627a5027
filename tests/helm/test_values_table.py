"""The table of values in helm/README.md is the one that values.yaml makes."""

import importlib.util

import pytest

from tests.support.helm import CHART

specification = importlib.util.spec_from_file_location("values_table", CHART / "values_table.py")
values_table = importlib.util.module_from_spec(specification)
specification.loader.exec_module(values_table)


def test_the_readme_holds_the_table_of_the_values():
    assert values_table.main(["--check"]) == 0, "run python helm/values_table.py"


def test_another_table_is_found(tmp_path, monkeypatch, capsys):
    (tmp_path / "README.md").write_text(f"{values_table.BEGIN}\n{values_table.END}\n", encoding="utf-8")
    (tmp_path / "values.yaml").write_text("# -- One.\na: 1\n", encoding="utf-8")
    monkeypatch.setattr(values_table, "CHART", tmp_path)
    assert values_table.main(["--check"]) == 1
    assert "values_table.py" in capsys.readouterr().err
    assert values_table.main([]) == 0
    assert values_table.main(["--check"]) == 0
    assert "| `a` | `1` | One. |" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_comments_become_rows():
    source = """
# For readers of the file only.
group:
  # -- First line
  # and second | with a bar.
  text: "x"
  # -- A whole mapping is one row.
  map: {a: [1, true]}
  inner:
    # -- Deep.
    leaf: 1.5
"""
    rows = values_table.read_rows(source)
    assert [(row.path, row.default, row.text) for row in rows] == [
        ("group.text", "x", "First line and second | with a bar."),
        ("group.map", {"a": [1, True]}, "A whole mapping is one row."),
        ("group.inner.leaf", 1.5, "Deep."),
    ]
    assert r"second \| with a bar" in values_table.build_table(rows)


@pytest.mark.parametrize(
    "source", ["a: 1\n", "# not marked\na: 1\n", "# -- Marked.\n\na: 1\n", "a: {b: 1}\n", "a: {}\n", "- 1\n"]
)
def test_a_value_without_a_word_is_refused(source):
    with pytest.raises(values_table.UndocumentedValue):
        values_table.read_rows(source)


@pytest.mark.parametrize("readme", ["", "{b}", "{e} {b}", "{b} {e} {b} {e}", "{b} {e} {e}"])
def test_a_readme_without_its_two_marks_is_refused(readme):
    text = readme.format(b=values_table.BEGIN, e=values_table.END)
    with pytest.raises(ValueError, match="once each"):
        values_table.insert_table(text, "table")
