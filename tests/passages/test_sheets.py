"""Spreadsheets: numbers as shown, headers where they are, hidden parts left out and counted."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office_files import workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font
from openpyxl.worksheet.table import Table
from openpyxl.worksheet.worksheet import Worksheet
from written import rezipped

from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.notes import Notes
from bonito_local.passages.office.numberformat import format_number


def read(data: bytes, *, hidden: bool = False) -> tuple[list[str], list[str]]:
    notes = Notes(hidden)
    blocks = extract_blocks(data, ".xlsx", notes=notes)
    return [block.text for block in blocks], [problem.title for problem in notes.problems]


def rows(*lines: Sequence[object]) -> Callable[[Worksheet], None]:
    def fill(sheet: Worksheet) -> None:
        for line in lines:
            sheet.append(list(line))

    return fill


@pytest.mark.parametrize(
    ("value", "code", "shown"),
    [
        (0.035, "0.0 %", "3.5 %"),
        (0.035, "0.00%", "3.50%"),
        (1234.5, '"€"#,##0.00', "€1,234.50"),
        (1234.5, "#,##0.00 [$€-407]", "1,234.50 €"),
        (-1234.5, "#,##0.00;[Red]-#,##0.00", "-1,234.50"),
        (-1234.5, "#,##0.00_);(#,##0.00)", "(1,234.50)"),
        (0.0, '#,##0;-#,##0;"-"', "-"),
        (5.0, ";;;", ""),
        (1234567.0, "#,##0,", "1,235"),
        (2.5, "0", "3"),
        (0.125, "# ?/?", "1/8"),
        (1.5, "# ?/?", "1 1/2"),
        (1234.0, "0.00E+00", "1.23E+03"),
        (1234.0, "0.00E+0", "1.23E+3"),
        (78051120.0, "000\\-00\\-0000", "078-05-1120"),
        (5551234567.0, "\\(###\\)\\ ###\\-####", "(555) 123-4567"),
        (12345678901.0, "000-0000", "1234567-8901"),
        (19.99, '0" euros and ".00" cents"', "19 euros and .99 cents"),
        (1.0, "\\1\\.0#", "1.01"),
        (0.0, "0.00000000", "0.00000000"),
        (7.0, "000", "007"),
        (1.5, "0.##", "1.5"),
        (45352.0, "yyyy-mm-dd", "2024-03-01"),
        (45352.0, "DD/MM/YYYY", "01/03/2024"),
        (45352.0, 'd. mmmm yyyy', "1. March 2024"),
        (0.3958333333333333, "hh:mm", "09:30"),
        (1.25, "[h]:mm", "30:00"),
        (0.75, "h:mm AM/PM", "6:00 PM"),
        (45352.5, "yyyy-mm-dd hh:mm", "2024-03-01 12:00"),
        (3.0, "", "3"),
        (0.1 + 0.2, "General", "0.3"),
        (4.0, '0 "days"', "4 days"),
        (12.0, '[>=10]0" many";0" few"', "12 many"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_shown(value: float, code: str, shown: str) -> None:
    assert format_number(value, code) == shown


def test_a_sheet_reads_as_it_is_shown() -> None:
    def fill(sheet: Worksheet) -> None:
        sheet.append(["Product", "Rate", "From", "Time", "Active"])
        sheet.append(["Savings", 0.035, datetime.date(2024, 3, 1), datetime.time(9, 30), True])
        sheet["B2"].number_format = "0.0 %"

    texts, problems = read(workbook(fill))
    assert texts == [
        "Costs",
        "Product: Savings; Rate: 3.5 %; From: 2024-03-01; Time: 09:30:00; Active: TRUE",
    ]
    assert problems == []


def test_a_title_stands_above_its_header_and_merged_labels_in_each_row() -> None:
    def fill(sheet: Worksheet) -> None:
        rows(
            ["Costs of 2023"], [], ["Region", "Town", "Sum"],
            ["North", "Oslo", 10], [None, "Bergen", 20], [], ["South", "Rome", 30],
        )(sheet)  # fmt: skip
        sheet.merge_cells("A1:C1")
        sheet.merge_cells("A4:A5")

    texts, problems = read(workbook(fill))
    assert texts == [
        "Costs",
        "Costs of 2023",
        "Region: North; Town: Oslo; Sum: 10\nRegion: North; Town: Bergen; Sum: 20",
        "Region: South; Town: Rome; Sum: 30",
    ]
    assert problems == []


def test_two_rows_of_names() -> None:
    def fill(sheet: Worksheet) -> None:
        rows(["Town", "Sales", None], [None, "2023", "2024"], ["Oslo", 1, 2], ["Bergen", 3, 4])(
            sheet
        )
        sheet.merge_cells("B1:C1")
        sheet.merge_cells("A1:A2")

    (_, text), _ = read(workbook(fill))
    assert text.split("\n")[0] == "Town: Oslo; Sales 2023: 1; Sales 2024: 2"


def test_two_tables_have_a_header_each() -> None:
    def fill(sheet: Worksheet) -> None:
        rows(["Name", "Fee"], ["Hall", 5], [], ["Guest", "Nights"], ["Ann", 3])(sheet)
        for place in ("A1", "B1", "A4", "B4"):
            sheet[place].font = Font(bold=True)

    texts, _ = read(workbook(fill))
    assert texts == ["Costs", "Name: Hall; Fee: 5", "Guest: Ann; Nights: 3"]


def test_rows_above_a_tables_header_name_no_columns() -> None:
    def fill(sheet: Worksheet) -> None:
        for line in (["Income", "Amount"], ["Rent", 2500], ["Interest", 250]):
            sheet.append(line)
        sheet.append(["Expenses", None, "Balance 2,000"])
        sheet.append(["Item", "Cost", "Note"])
        sheet.append(["Power", 120, "by month"])
        sheet.merge_cells("A4:B4")
        sheet.add_table(Table(displayName="Costs", ref="A5:C6"))

    texts, problems = read(workbook(fill))
    assert texts == [
        "Costs",
        "Income: Rent; Amount: 2500\nIncome: Interest; Amount: 250",
        "Expenses Item: Power; Expenses Cost: 120; Balance 2,000 Note: by month",
    ]
    assert problems == []


def test_what_is_hidden_is_left_out_and_counted() -> None:
    def fill(sheet: Worksheet) -> None:
        rows(["Name", "Job", "Pay"], ["Ann", "Nurse", 1], ["Bob", "Spy", 2], ["Cy", "Cook", 3])(
            sheet
        )
        sheet.row_dimensions[3].hidden = True
        sheet.column_dimensions["C"].hidden = True
        sheet["A2"].comment = Comment("Ask her.", "x")
        assert sheet.parent is not None
        other = sheet.parent.create_sheet("Salaries")
        other.append(["Secret"])
        other.sheet_state = "hidden"

    data = workbook(fill)
    texts, problems = read(data)
    assert texts == ["Costs", "Name: Ann; Job: Nurse\nName: Cy; Job: Cook"]
    assert problems == [
        "Left out 4 cells in hidden columns.",
        "Left out 1 hidden row.",
        "Left out 1 comment.",
        "Left out 1 hidden sheet.",
    ]
    texts, problems = read(data, hidden=True)
    assert "Name: Bob; Job: Spy; Pay: 2" in texts[1]
    assert texts[2:] == ["Ask her.", "Salaries", "Secret"]
    assert problems == []


def test_a_formula_without_a_value_is_named() -> None:
    texts, problems = read(workbook(rows(["Post", "Sum"], ["Rent", 5], ["Total", "=B2"])))
    assert texts == ["Costs", "Post: Rent; Sum: 5\nPost: Total"]
    assert problems == ["1 formula has no stored value (Costs!B3)."]

    def store(name: str, part: bytes) -> bytes:
        return re.sub(rb"<v ?/>|<v></v>", b"<v>5</v>", part) if "sheet1" in name else part

    data = rezipped(workbook(rows(["Post", "Sum"], ["Rent", 5], ["Total", "=B2"])), store)
    assert read(data) == (["Costs", "Post: Rent; Sum: 5\nPost: Total; Sum: 5"], [])


def test_names_of_columns_without_values_stand_once() -> None:
    table = rows(["Start here."], [], ["Post", "Sum", "Note"], ["Rent"], [None], ["Gas", "5 euros"])
    assert read(workbook(table)) == (
        ["Costs", "Start here.", "Sum; Note\nPost: Rent", "Post: Gas; Sum: 5 euros"],
        [],
    )


_WORD = st.integers(0, 10**6).map(lambda at: f"word{at}x")


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.one_of(st.none(), _WORD), min_size=1, max_size=5), min_size=1))
def test_all_words_arrive(lines: list[list[str | None]]) -> None:
    words = {word for line in lines for word in line if word}
    texts, problems = read(workbook(rows(["Start here."], [], *lines)))
    assert words <= set(re.findall(r"word\d+x", "\n".join(texts)))
    assert problems == []
