"""Trees become HTML in which every text is only text."""

from __future__ import annotations

import pytest

from gad_lightning.report.markup import number, table, tag, written


def test_texts_and_attributes_are_escaped() -> None:
    assert written(tag("p", "<b>&", title='"<')) == '<p title="&quot;<">&lt;b&gt;&amp;</p>'


def test_what_no_page_may_hold_is_replaced() -> None:
    assert (
        written(tag("p", "a\x00\x1b\ud800b"))
        == "<p>a\N{REPLACEMENT CHARACTER}" + "\N{REPLACEMENT CHARACTER}" * 2 + "b</p>"
    )


def test_nothing_is_left_out_and_texts_between_elements_stay_in_place() -> None:
    assert written(tag("p", "a", None, tag("b", "c"), "d", id=None)) == "<p>a<b>c</b>d</p>"


def test_the_first_cell_of_a_row_names_it() -> None:
    text = written(table(["run", "score"], [["gad", "0.5"]]))
    assert '<th scope="row">gad</th><td>0.5</td>' in text


def test_a_program_that_would_end_itself_is_refused() -> None:
    with pytest.raises(AssertionError):
        written(tag("script", "'</script>'"))


def test_figures() -> None:
    assert [number(value) for value in (0.12345, float("nan"), -1.0)] == ["0.123", "-", "-1.000"]
