"""Kinds of PDF that readers get wrong, each with what is right."""

from itertools import count, islice, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pdfs import at, grid, lines, written
from written import SENTENCE, pdf

from bonito_local.errors import DocumentError
from bonito_local.passages.notes import Notes
from bonito_local.passages.pdf import pdf_blocks

PROSE = [
    "The association was founded in 1974 by teachers of the town school. It owns",
    "a small library of about four thousand books, which its members may borrow",
    "without charge. The rooms are open on weekdays in the afternoon.",
]
JOINED = " ".join(PROSE)


def read(data: bytes, *, hidden: bool = False) -> tuple[list[str], list[str]]:
    notes = Notes(hidden)
    blocks = pdf_blocks(data, None, notes)
    return [block.text for block in blocks], [problem.title for problem in notes.problems]


def headings(data: bytes) -> list[str]:
    return [block.text for block in pdf_blocks(data, None, Notes()) if block.level]


def names() -> list[str]:
    """Return words that are all different, and look like words: a font without vowels is noise."""
    syllables = ("ba", "ko", "me", "ti", "lu", "ran", "nos", "sel")
    return ["".join(parts) for parts in islice(product(syllables, repeat=4), 5, 4000, 5)]


KINDS = st.sampled_from(["heading", "paragraph", "list", "page"])


@settings(deadline=None, max_examples=10)
@given(st.lists(st.tuples(KINDS, st.integers(1, 60)), min_size=1, max_size=12))
def test_all_words_arrive_once_and_in_order(structure: list[tuple[str, int]]) -> None:
    words = iter(names())
    pages: list[list[str]] = [[]]
    expected: list[str] = []
    for kind, size in structure:
        if kind == "page":
            pages.append([])
            continue
        taken = list(islice(words, min(size, 6) if kind == "heading" else size))
        taken[0] = taken[0].capitalize()
        expected += taken
        if kind == "heading":
            pages[-1].append("# " + " ".join(taken))
        elif kind == "list":
            items = [" ".join(taken[at : at + 5]) for at in range(0, len(taken), 5)]
            pages[-1].append("\n".join(f"\x95 {item}" for item in items))
        else:
            pages[-1].append(" ".join(taken) + ".")
    if not expected:
        return
    running = "Harrow Vale - Confidential" if len(pages) > 1 else ""
    texts, problems = read(pdf(pages, running=running))
    arrived = " ".join(texts).replace("- ", " ").replace(".", " ").split()
    assert arrived == expected
    assert [problem for problem in problems if "headers and footers" not in problem] == []


def test_capitals_and_signs_inside_words_stay() -> None:
    text = 'SpiderMonkey, OpenMail, MacMillan: 5 mg/kgM, abc!def, o"clock, c#minor and a#b.'
    assert read(written([at(60, 780, text)])) == ([text], [])


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_turned_pages_hold_the_same_words(turn: int) -> None:
    starts = {0: (60, 780), 90: (60, 60), 180: (535, 60), 270: (535, 780)}
    steps = {0: (0, -15), 90: (15, 0), 180: (0, 15), 270: (-15, 0)}
    (x, y), (dx, dy) = starts[turn], steps[turn]
    content = "".join(at(x + n * dx, y + n * dy, line, turn=turn) for n, line in enumerate(PROSE))
    assert read(written([content], page=f"/Rotate {turn}")) == ([JOINED], [])


def test_a_line_that_runs_off_the_page_is_whole() -> None:
    line = "Plan of the works in the upper ward from May to August, as agreed with the fitter"
    content = at(300, 780, line) + at(300, 760, "The pipes are laid in June.")
    assert read(written([content])) == ([f"{line} The pipes are laid in June."], [])


def test_sideways_text_is_a_paragraph_of_its_own() -> None:
    content = lines(60, 780, PROSE) + at(30, 400, "Printed on paper of the town mill", turn=90)
    assert read(written([content])) == ([JOINED, "Printed on paper of the town mill"], [])


def test_a_raised_mark_is_not_part_of_a_number() -> None:
    content = at(60, 780, "Turnover rose in 2022") + at(166.5, 785, "1", 7)
    content += (
        at(174, 780, "and fell in 2023.") + at(60, 80, "1", 7) + at(66, 76, "Without tax.", 9)
    )
    texts, problems = read(written([content]))
    assert texts == ["Turnover rose in 2022\u00b9 and fell in 2023.", "\u00b9 Without tax."]
    assert problems == []


def test_a_wrapped_line_that_begins_with_a_bracket_goes_on() -> None:
    wrapped = [
        "The council could see what the association does with the money of the town",
        "(a) library and (b) rooms, although the council had not asked for it at all in",
        "1974) by the teachers of the school, who were the owners of the house then.",
    ]
    assert read(written([lines(60, 780, wrapped)])) == ([" ".join(wrapped)], [])


def test_a_bullet_is_no_heading() -> None:
    content = at(60, 780, "Introduction", 16, "F2") + lines(60, 750, PROSE)
    content += at(60, 690, "\x95 An account of the money") + at(60, 675, "\x95 A list of repairs")
    data = written([content])
    assert headings(data) == ["Introduction"]
    assert read(data)[0][-1] == "- An account of the money\n- A list of repairs"


def test_a_list_of_sources_is_no_table() -> None:
    sources = [
        f"{name}, {letter} ({year}), Letters of a country doctor, Report to the council on what"
        "\nwas found in the third year of the work, at the office of the town clerk."
        for name, letter, year in zip(
            ["Lindqvist", "Weiss", "Haas", "Ito", "Novak"], "ABDHS", count(1980), strict=False
        )
    ]
    content = at(60, 790, "References", 16, "F2")
    content += lines(60, 760, "\n".join(sources).split("\n"))
    data = written([content])
    text = " ".join(" ".join(read(data)[0]).split())
    assert text == " ".join(["References", *sources]).replace("\n", " ")
    assert headings(data) == ["References"]


def test_a_ruled_table_is_read_by_rows_and_wrapped_cells_are_told_apart() -> None:
    content = lines(60, 800, PROSE) + grid([60, 250, 330, 500], [700, 680, 650, 630])
    content += at(65, 686, "Duty") + at(255, 686, "Who") + at(335, 686, "When")
    content += lines(65, 667, ["Check the fire doors and write", "down which do not close"], 10)
    content += at(255, 667, "caretaker") + lines(
        335, 667, ["on the first day", "of each month"], 10
    )
    content += at(65, 636, "Empty the bins") + at(255, 636, "tenants") + at(335, 636, "weekly")
    content += lines(60, 600, PROSE)
    rows = [
        "Duty: Check the fire doors and write down which do not close; Who: caretaker; "
        "When: on the first day of each month",
        "Duty: Empty the bins; Who: tenants; When: weekly",
    ]
    assert read(written([content])) == ([JOINED, "\n".join(rows), JOINED], [])


def test_a_table_without_names_of_columns_has_none() -> None:
    content = grid([60, 250, 330], [700, 680, 660]) + at(65, 686, "Chair") + at(255, 686, "120.00")
    content += at(65, 666, "Lamp") + at(255, 666, "35.50")
    assert read(written([content])) == (["Chair; 120.00\nLamp; 35.50"], [])


def test_rows_without_a_rule_between_are_told_by_their_lines() -> None:
    content = grid([60, 250, 330], [700, 680, 620]) + at(65, 686, "Name") + at(255, 686, "Type")
    content += lines(65, 666, ["save", "restore", "clip"]) + lines(
        255, 666, ["void", "any", "void"]
    )
    rows = "Name: save; Type: void\nName: restore; Type: any\nName: clip; Type: void"
    assert read(written([content])) == ([rows], [])


def test_columns_without_rules_are_rows() -> None:
    rows = [("Chair", "4", "120.00"), ("Desk", "2", "480.00"), ("Lamp", "6", "35.50")]
    content = lines(60, 800, PROSE)
    for n, row in enumerate(rows):
        content += "".join(
            at(x, 700 - 15 * n, cell) for x, cell in zip((60, 250, 330), row, strict=True)
        )
    assert read(written([content])) == ([JOINED, "\n".join("; ".join(row) for row in rows)], [])


FIELD = "<</Type/Annot/Subtype/Widget/FT/Tx/T({})/Rect[200 {} 500 {}]/V({})/F 4 {}>>"


def test_what_was_filled_in_stands_after_its_label() -> None:
    content = at(60, 740, "Name of the patient:") + at(60, 700, "Date of birth:")
    values = [
        FIELD.format("a", 732, 754, "Ingrid Solberg", ""),
        FIELD.format("b", 692, 714, "4 March 1961", ""),
        FIELD.format("c", 100, 120, "penicillin", "/TU(Known allergies)"),
        FIELD.format("d", 60, 80, "secret", "/Ff 8192"),
    ]
    own = "/Annots[10 0 R 11 0 R 12 0 R 13 0 R]"
    fields = "/AcroForm<</Fields[10 0 R 11 0 R 12 0 R 13 0 R]>>"
    texts, problems = read(written([content], page=own, catalog=fields, objects=values))
    assert "\n".join(texts).split("\n") == [
        "Name of the patient: Ingrid Solberg",
        "Date of birth: 4 March 1961",
        "Known allergies: penicillin",
    ]
    assert problems == []


WAIT = "Please wait... If this message is not eventually replaced, your PDF viewer may not be"


def test_a_page_that_waits_for_an_xfa_form_is_no_document() -> None:
    form = "/NeedsRendering true/AcroForm<</Fields[]/XFA 10 0 R>>"
    objects = ["<</Length 5>>stream\n<xdp>\nendstream"]
    content = lines(60, 780, [WAIT, "able to display this type of document."])
    with pytest.raises(DocumentError, match="XFA"):
        read(written([content], catalog=form, objects=objects))


def test_text_of_a_font_without_a_unicode_map_is_left_out_and_counted() -> None:
    shifted = "".join(chr(ord(c) - 29) if c != " " else "\x03" for c in JOINED.replace("\n", " "))
    codes = "".join(f"{ord(c):02x}" for c in shifted)
    content = f"{lines(60, 780, PROSE)}BT /F1 11 Tf 1 0 0 1 60 600 Tm ET\n"
    content += f"BT /F2 11 Tf 1 0 0 1 60 500 Tm <{codes}> Tj ET\n"
    texts, problems = read(written([content]))
    assert texts == [JOINED]
    (problem,) = problems
    assert problem.endswith("in fonts without a Unicode map: page 1.")
    with pytest.raises(DocumentError, match="no Unicode map"):
        read(written([f"BT /F2 11 Tf 1 0 0 1 60 500 Tm <{codes}> Tj ET\n"]))


HEBREW = "הדייר משלם את שכר הדירה ביום הראשון"


def test_words_from_right_to_left_are_in_reading_order() -> None:
    signs = sorted(set(HEBREW))
    codes = {sign: 0x41 + n for n, sign in enumerate(signs)}
    chars = "".join(f"<{code:02x}> <{ord(sign):04x}>\n" for sign, code in codes.items())
    cmap = (
        "/CIDInit /ProcSet findresource begin 12 dict begin begincmap\n"
        "1 begincodespacerange <00> <ff> endcodespacerange\n"
        f"{len(codes)} beginbfchar\n{chars}endbfchar endcmap end end"
    )
    shown = "".join(chr(codes[sign]) for sign in reversed(HEBREW))
    objects = [f"<</Length {len(cmap)}>>stream\n{cmap}\nendstream"]
    data = written([at(60, 780, shown, font="F3")], font="/ToUnicode 10 0 R", objects=objects)
    assert read(data) == ([HEBREW], [])


def test_line_numbers_in_the_margin_are_left_out() -> None:
    content = lines(100, 780, PROSE * 3) + lines(60, 780, [str(n) for n in range(1, 15)])
    texts, problems = read(written([content]))
    assert texts == [JOINED] * 3
    assert problems == ["Left out the numbers of lines in the margin: page 1."]


def test_a_numbered_table_keeps_its_numbers() -> None:
    rows = [
        f"{n}       Ann {name} of Harrow Vale"
        for n, name in zip(range(1, 8), "ABCDEFG", strict=True)
    ]
    content = "".join(
        at(60, 700 - 15 * n, row.split()[0]) + at(100, 700 - 15 * n, " ".join(row.split()[1:]))
        for n, row in enumerate(rows)
    )
    texts, problems = read(written([lines(60, 800, PROSE) + content]))
    assert "7" in " ".join(texts).replace(";", " ").split()
    assert problems == []


@pytest.mark.parametrize(
    "mark",
    [
        "BT /F2 70 Tf 0.7 0.7 -0.7 0.7 150 300 Tm (CONFIDENTIAL) Tj ET\n",
        at(60, 740, "DRAFT", 70, "F2"),
    ],
)
def test_watermarks_are_left_out(mark: str) -> None:
    texts, problems = read(written([mark + lines(60, 780, PROSE * 5)]))
    assert texts == [JOINED] * 5
    assert problems == ["Left out a watermark: page 1."]


def test_headers_and_footers_of_several_lines_are_left_out() -> None:
    head = ["Harrow Vale House Association", "12 Mill Lane, Harrow Vale", "Registered 1974"]
    pages = [
        lines(60, 820, head, 8)
        + lines(60, 700, [f"Letter {n} says this.", *PROSE])
        + at(60, 30, f"Printed for members - {n} of 4", 8)
        for n in range(1, 5)
    ]
    texts, _ = read(written(pages))
    assert texts == [f"Letter {n} says this.\n{JOINED}" for n in range(1, 5)]


def test_hidden_text_is_left_out_and_counted_or_read_where_asked_for() -> None:
    content = lines(60, 780, PROSE) + "3 Tr\n" + at(60, 700, "Not to be seen.") + "0 Tr\n"
    content += "1 1 1 rg\n" + at(60, 680, "White on white.")
    data = written([content])
    assert read(data) == ([JOINED], ["Left out 7 hidden words: page 1."])
    texts, problems = read(data, hidden=True)
    assert texts == [JOINED, "Not to be seen.", "White on white."]
    assert problems == []


def test_white_text_on_a_dark_area_is_seen() -> None:
    content = "0 0 0.5 rg 50 690 400 30 re f\n1 1 1 rg\n" + at(60, 700, SENTENCE)
    assert read(written([content])) == ([SENTENCE], [])


def test_comments_are_left_out_and_counted_or_read_where_asked_for() -> None:
    comment = "<</Type/Annot/Subtype/Text/Rect[10 10 20 20]/Contents(Ask Ann about it.)>>"
    data = written([lines(60, 780, PROSE)], page="/Annots[10 0 R]", objects=[comment])
    assert read(data) == ([JOINED], ["Left out 1 comment: page 1."])
    assert read(data, hidden=True) == ([JOINED, "Ask Ann about it."], [])


def test_a_capital_over_two_lines_is_part_of_its_word() -> None:
    content = at(60, 764, "T", 34) + lines(82, 780, [PROSE[0].removeprefix("T"), PROSE[1]])
    content += at(60, 751, PROSE[2])
    assert read(written([content])) == ([JOINED], [])


UNICODE_MAP = (
    "/CIDInit /ProcSet findresource begin begincmap "
    "1 begincodespacerange <00> <ff> endcodespacerange "
    "2 beginbfchar <41> <D835DC5D> <42> <D83DDE00> endbfchar endcmap"
)


def test_letters_outside_the_first_65536_stay() -> None:
    content = at(60, 790, "Let") + at(80, 790, "A", font="F3") + at(100, 790, "be a prime.")
    content += at(60, 770, "Thank you") + at(120, 770, "B", font="F3")
    stream = f"<</Length {len(UNICODE_MAP)}>>stream\n{UNICODE_MAP}\nendstream"
    texts, problems = read(written([content], font="/ToUnicode 10 0 R", objects=[stream]))
    assert " ".join(texts).split() == ["Let", "𝑝", "be", "a", "prime.", "Thank", "you", "😀"]
    assert problems == []


@pytest.mark.parametrize(
    "line",
    [
        "<table> <tr><td></td><td></td></tr> <tr><td></td><td></td></tr> <tr><td></td></tr> <td>",
        r"\maketitle \and \lid \gid \grole llncs \bbbc \bbbf \bbbh \bbbk \bbbm \bbbn \bbbp \bbbq",
        "Policy Number: XXXXXXXX XXXXXXX XXXXXX XXXXXXXX LLC (Lic.#XXXXXXXX) 09:52 AM EDT",
    ],
)
def test_tags_commands_and_blackened_words_are_no_missing_unicode_map(line: str) -> None:
    texts, problems = read(written([at(60, 790, line, 8)]))
    assert (" ".join(" ".join(texts).split()), problems) == (line, [])


def open_grid(xs: list[float], ys: list[float], sides: tuple[float, float]) -> str:
    """Operators that rule a table whose left and right sides are open."""
    level = "".join(f"{sides[0]} {y} m {sides[1]} {y} l S\n" for y in ys)
    return level + "".join(f"{x} {ys[0]} m {x} {ys[-1]} l S\n" for x in xs)


def test_the_outer_columns_of_a_table_without_sides_belong_to_it() -> None:
    content = open_grid([200, 300], [700, 680, 660, 640], (60, 400))
    rows = [("Method", "Recall", "Time"), ("Naive", "0.71", "12"), ("Tuned", "0.93", "19")]
    for n, row in enumerate(rows):
        content += "".join(
            at(x, 686 - 20 * n, cell) for x, cell in zip((65, 205, 305), row, strict=True)
        )
    expected = "Method: Naive; Recall: 0.71; Time: 12\nMethod: Tuned; Recall: 0.93; Time: 19"
    assert read(written([content])) == ([expected], [])


def test_a_ruled_row_whose_cells_are_written_line_by_line_is_several_rows() -> None:
    content = grid([60, 160, 260, 360], [700, 680, 640])
    rows = [("Name", "Recall", "Time"), ("Naive", "0.71", "12"), ("Tuned", "0.93", "19")]
    for n, row in enumerate(rows):
        content += "".join(
            at(x, 686 - 18 * n, cell) for x, cell in zip((65, 165, 265), row, strict=True)
        )
    expected = "Name: Naive; Recall: 0.71; Time: 12\nName: Tuned; Recall: 0.93; Time: 19"
    assert read(written([content])) == ([expected], [])


def test_lists_in_neighbouring_cells_stay_whole() -> None:
    content = grid([60, 250, 430], [700, 680, 620]) + at(65, 686, "Inside") + at(255, 686, "Garden")
    content += lines(65, 668, ["\x95 chairs", "\x95 tables", "\x95 lamps"])
    content += lines(255, 668, ["\x95 benches", "\x95 swings", "\x95 bins"])
    text = " ".join(read(written([content]))[0])
    words = ["chairs", "tables", "lamps", "benches", "swings", "bins"]
    assert sorted(words, key=text.index) == words


def test_rows_of_small_words_are_no_columns_of_text() -> None:
    rows = [("void", "save( )"), ("void", "restore( )"), ("any", "scale( float x, float y)")]
    content = lines(60, 800, PROSE)
    for n, row in enumerate(rows):
        content += at(60, 700 - 15 * n, row[0]) + at(200, 700 - 15 * n, row[1])
    assert read(written([content])) == ([JOINED, "\n".join("; ".join(row) for row in rows)], [])


def test_boxes_around_words_are_no_table() -> None:
    content = ""
    for n, line in enumerate(("Here all read now", "like this one do")):
        for column, word in enumerate(line.split()):
            x, y = 60 + 26 * column, 700 - 20 * n
            content += at(x + 1, y + 4, word) + f"{x} {y} 26 20 re S\n"
        content += at(165, 700 - 20 * n + 4, "and on" if n == 0 else "so.")
    text = "Here all read now and on like this one do so."
    assert " ".join(" ".join(read(written([content]))[0]).split()) == text


def test_a_table_of_contents_is_left_out_and_counted() -> None:
    entries = [f"{n} {name} {'. ' * 20}{page}" for n, name, page in
               [(1, "Rooms", 2), (2, "Books", 5), (3, "Members", 9)]]  # fmt: skip
    content = at(60, 790, "Contents", 16, "F2") + lines(60, 760, entries)
    texts, problems = read(written([content + lines(60, 600, PROSE)]))
    assert JOINED in texts
    assert not any("Members" in text for text in texts)
    assert problems == ["Left out 3 lines of a table of contents: page 1."]


def test_dots_in_a_form_and_in_a_list_of_prices_lead_to_what_is_kept() -> None:
    form = [f"{n} {name} {'. ' * 20}{n}" for n, name in
            [(7, "Wages and tips"), (8, "Interest"), (9, "Dividends")]]  # fmt: skip
    prices = [f"{name} {'. ' * 20}{price}" for name, price in
              [("Soup", 650), ("Bread", 120), ("Fish stew", 1480), ("Tea", 90)]]  # fmt: skip
    texts, problems = read(written([lines(60, 790, form) + lines(60, 600, prices)]))
    text = " ".join(texts)
    for line in (*form, *prices):
        assert line.split(" .")[0] in text
    assert "Dividends … 9" in text
    assert problems == []


def test_pages_that_are_alike_keep_what_they_share() -> None:
    shared = ["A = 0.10", "A = 0.20", "A = 0.30", "A = 0.40", "A = 0.50"]
    pages = [
        "".join(at(60, 640 - 60 * n, line) for n, line in enumerate(shared))
        + at(60, 700, f"Measured with gamma {gamma}")
        for gamma in ("one", "two", "three", "four")
    ]
    text = " ".join(read(written(pages))[0])
    assert text.count("A = 0.30") == 4


def test_headers_that_are_much_of_a_document_are_counted() -> None:
    pages = [
        at(60, 815, "Harrow Vale - house rules") + at(60, 700, f"Rule of the {name} floor.")
        for name in ("first", "second", "third")
    ]
    assert read(written(pages))[1] == ["Left out 15 words of headers and footers."]


def test_another_order_than_the_files_is_said() -> None:
    columns = [["Name", "Chair", "Desk", "Lamp", "Shelf"], ["Items", "14", "12", "16", "13"],
               ["Price", "120", "480", "35", "75"]]  # fmt: skip
    content = grid([60, 160, 260, 360], [700, 680, 660, 640, 620, 600])
    for x, column in zip((65, 165, 265), columns, strict=True):
        content += "".join(at(x, 686 - 20 * n, cell) for n, cell in enumerate(column))
    texts, problems = read(written([content]))
    assert texts[0].startswith("Name: Chair; Items: 14; Price: 120\n")
    assert problems == [
        "Tables or columns were read in another order than the file keeps their words: page 1."
    ]
