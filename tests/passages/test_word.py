"""Word documents: each kind of fault met in real files, with what is right."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from office_files import cell, docx, par, run, table

from bonito_local.errors import DocumentError
from bonito_local.passages.blocks import Block
from bonito_local.passages.extract import extract_blocks
from bonito_local.passages.notes import Notes

LONG = "The tenant pays the rent in advance on the first working day of each month."
_BOX = "<w:txbxContent>{}</w:txbxContent>"


def texts(data: bytes, *, hidden: bool = False) -> list[str]:
    return [block.text for block in extract_blocks(data, ".docx", notes=Notes(hidden))]


def problems(data: bytes) -> list[str]:
    notes = Notes()
    extract_blocks(data, ".docx", notes=notes)
    return [problem.title for problem in notes.problems]


def formula(text: str) -> str:
    return f"<m:r><m:t>{text}</m:t></m:r>"


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (par("Tenant:", "<w:r><w:tab/></w:r>", "Marta Keller"), ["Tenant: Marta Keller"]),
        (par("twenty", "<w:r><w:noBreakHyphen/></w:r>", "one"), ["twenty-one"]),
        (par("Novem", "<w:r><w:softHyphen/></w:r>", "ber"), ["November"]),
        (par("one", "<w:r><w:br/></w:r>", "two"), ["one\ntwo"]),
        (par(run("Por", "<w:b/>"), run("to", "<w:i/>"), run(".", "<w:b/>")), ["Porto."]),
        (par("10", run("5", '<w:vertAlign w:val="superscript"/>'), " m"), ["10⁵ m"]),
        (par("1", run("st", '<w:vertAlign w:val="superscript"/>')), ["1st"]),
        (par("a", '<w:r><w:sym w:font="Symbol" w:char="F0B3"/></w:r>', "b"), ["a≥b"]),
        (par("80", '<w:r><w:sym w:font="Symbol" w:char="F070"/></w:r>', " m"), ["80π m"]),
        (par("if a < b & c"), ["if a < b & c"]),
        (
            par("T", properties='<w:framePr w:dropCap="drop"/>') + par("he tenant pays."),
            ["The tenant pays."],
        ),
        (
            par("Kept ", properties="<w:rPr><w:del/></w:rPr>") + par("in one."),
            ["Kept in one."],
        ),
        (
            par("See ", "<m:oMath><m:f><m:num><m:r><m:t>a+b</m:t></m:r></m:num><m:den><m:r>"
                "<m:t>2</m:t></m:r></m:den></m:f></m:oMath>", "."),
            ["See (a+b)/2 ."],
        ),
        (
            par("As ", f"<m:oMath><m:sSub><m:e>{formula('x')}</m:e><m:sub>{formula('i')}</m:sub>"
                f"</m:sSub>{formula('t')}<m:func><m:fName>{formula('sin')}</m:fName>"
                f"<m:e>{formula('y')}</m:e></m:func></m:oMath>", " is."),
            ["As x_i tsin y is."],
        ),
    ],
)  # fmt: skip
def test_signs_in_a_paragraph(body: str, right: list[str]) -> None:
    assert texts(docx(body)) == right
    assert problems(docx(body)) == []


def test_tables() -> None:
    bold = "<w:b/>"
    assert texts(docx(table(["Important: keys at noon", "Contact Mr Olsen"]))) == [
        "Important: keys at noon; Contact Mr Olsen"
    ]
    head = [cell(par(run("Service", bold))), cell(par(run("Fee", bold)))]
    assert texts(docx(table(head, ["Cleaning", cell(par(run("45 euros", "<w:u/>")))]))) == [
        "Service: Cleaning; Fee: 45 euros"
    ]
    spans = table(
        [cell("Room", properties='<w:gridSpan w:val="2"/>'), "Size"],
        ["Hall", "ground floor", "12 square metres"],
        [cell("Kitchen and pantry", properties='<w:gridSpan w:val="3"/>')],
    )
    assert texts(docx(spans)) == [
        "Room: Hall, ground floor; Size: 12 square metres\nKitchen and pantry"
    ]
    down = table(
        ["Region", "Town"],
        [cell("North", properties='<w:vMerge w:val="restart"/>'), "Oslo"],
        [cell(properties="<w:vMerge/>"), "Bergen"],
    )
    assert texts(docx(down)) == ["Region: North; Town: Oslo\nRegion: North; Town: Bergen"]
    form = table(
        [cell(par(run("Tenant", bold))), "Marta Keller"], [cell(par(run("Start", bold))), "1 May"]
    )
    assert texts(docx(form)) == ["Tenant: Marta Keller\nStart: 1 May"]
    box = table([cell("First.", "Second.")])
    assert texts(docx(box)) == ["First.", "Second."]
    for body in (spans, down, form, box):
        assert problems(docx(body)) == []


def test_a_text_box_stands_once_beside_its_paragraph() -> None:
    box = _BOX.format(par("Note for the clerk."))
    drawn = (
        "<w:r><mc:AlternateContent><mc:Choice Requires='wps'><w:drawing><wps:txbx>"
        f"{box}</wps:txbx></w:drawing></mc:Choice><mc:Fallback><w:pict><v:textbox>{box}"
        "</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    data = docx(par("The loan is repaid, ", drawn, "and pays interest."))
    assert texts(data) == ["The loan is repaid, and pays interest.", "Note for the clerk."]
    assert problems(data) == []


def test_notes_follow_their_paragraph() -> None:
    raised = '<w:vertAlign w:val="superscript"/>'
    mark = f'<w:r><w:rPr>{raised}</w:rPr><w:footnoteReference w:id="1"/></w:r>'
    end = '<w:r><w:endnoteReference w:id="7"/></w:r>'
    notes = (
        f'<w:footnote w:type="separator" w:id="-1">{par()}</w:footnote>'
        f'<w:footnote w:id="1">{par("<w:r><w:footnoteRef/></w:r>", " Without tax.")}</w:footnote>'
    )
    ends = f'<w:endnote w:id="7">{par("By courier.")}</w:endnote>'
    data = docx(
        par("It rose", mark, " and fell", end, "."),
        LONG,
        parts={"footnotes": notes, "endnotes": ends},
    )
    assert texts(data) == ["It rose and fell.", "Without tax.", "By courier.", LONG]
    assert problems(data) == []


def test_what_is_hidden_or_deleted_is_left_out_and_counted() -> None:
    comment = '<w:r><w:commentReference w:id="0"/></w:r>'
    data = docx(
        par(LONG, run(" Raise the price.", "<w:vanish/>")),
        par("Kept. ", '<w:del><w:r><w:delText>Gone for good.</w:delText></w:r></w:del>'),
        par("A. ", f"<w:moveFrom>{run('Moved. ')}</w:moveFrom>"),
        par("B. ", f"<w:moveTo>{run('Moved. ')}</w:moveTo>", comment),
        parts={"comments": f'<w:comment w:id="0">{par("Ask her.")}</w:comment>'},
    )  # fmt: skip
    assert texts(data) == [LONG, "Kept.", "A.", "B. Moved."]
    assert problems(data) == [
        "Left out 1 comment.",
        "Left out 3 words of hidden text.",
        "Left out 3 words of tracked deletions.",
    ]
    assert texts(data, hidden=True) == [
        f"{LONG} Raise the price.", "Kept. Gone for good.", "A.", "B. Moved.", "Ask her.",
    ]  # fmt: skip


def test_contents_and_indexes_are_left_out_and_counted() -> None:
    begin, separate, end = (
        f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")
    )
    instruction = '<w:r><w:instrText> TOC \\o "1-3" </w:instrText></w:r>'
    styles = '<w:style w:type="paragraph" w:styleId="I"><w:name w:val="index 1"/></w:style>'
    data = docx(
        par(begin, instruction, separate, "Rent", "<w:r><w:tab/></w:r>", "3"),
        par("Deposit", "<w:r><w:tab/></w:r>", "4", end),
        LONG,
        par("rent, 3", properties='<w:pStyle w:val="I"/>'),
        par(begin, "<w:r><w:instrText> DATE </w:instrText></w:r>", separate, "1 May", end),
        parts={"styles": styles},
    )
    assert texts(data) == [LONG, "1 May"]
    assert problems(data) == ["Left out 1 table of contents.", "Left out 1 index."]


def test_a_field_that_never_ends_hides_nothing() -> None:
    begin = '<w:r><w:fldChar w:fldCharType="begin"/></w:r>'
    assert texts(docx(par(begin, "One."), "Two.")) == ["One.", "Two."]


def test_prompts_of_empty_fields_are_left_out_and_counted() -> None:
    def control(content: str) -> str:
        properties = "<w:sdtPr><w:showingPlcHdr/></w:sdtPr>"
        return f"<w:sdt>{properties}<w:sdtContent>{content}</w:sdtContent></w:sdt>"

    row = f"<w:tr>{cell('Tenant')}{cell('Marta Keller')}{control(cell('Enter a date'))}</w:tr>"
    data = docx(
        par(LONG, control(run("Enter a name")))
        + control(par("Enter an address"))
        + f"<w:tbl>{row}</w:tbl>"
    )
    assert texts(data) == [LONG, "Tenant; Marta Keller"]
    assert problems(data) == ["Left out 3 prompts of an empty field."]


def test_lists_are_labelled_as_shown() -> None:
    level = '<w:lvl w:ilvl="{}"><w:numFmt w:val="{}"/><w:lvlText w:val="{}"/></w:lvl>'
    kinds = [level.format(0, "decimal", "%1."), level.format(1, "lowerLetter", "(%2)")]
    bullets = level.format(0, "bullet", "·")
    numbering = (
        f'<w:abstractNum w:abstractNumId="0">{"".join(kinds)}</w:abstractNum>'
        f'<w:abstractNum w:abstractNumId="1">{bullets}</w:abstractNum>'
        '<w:num w:numId="1"><w:abstractNumId w:val="0"/></w:num>'
        '<w:num w:numId="2"><w:abstractNumId w:val="1"/></w:num>'
    )

    def item(text: str, number: int, at: int = 0) -> str:
        held = f'<w:numPr><w:ilvl w:val="{at}"/><w:numId w:val="{number}"/></w:numPr>'
        return par(text, properties=held)

    data = docx(
        item("Rent", 1), item("monthly", 1, 1), item("in advance", 1, 1), item("Deposit", 1),
        item("returned", 1, 1), LONG, item("keys", 2), parts={"numbering": numbering},
    )  # fmt: skip
    assert texts(data) == [
        "1. Rent\n(a) monthly\n(b) in advance\n2. Deposit\n(a) returned", LONG, "- keys"
    ]  # fmt: skip
    assert problems(data) == []


def test_the_main_part_is_found_and_parts_in_it_are_read() -> None:
    assert texts(docx(LONG, main="word/document2.xml")) == [LONG]
    chunk = '<w:altChunk r:id="a.html"/>'
    data = docx(LONG, chunk, files={"a.html": b"<html><body><p>From a page.</p></body></html>"})
    assert texts(data) == [LONG, "From a page."]
    inner = docx("From another.")
    data = docx('<w:altChunk r:id="b.docx"/>', LONG, files={"b.docx": inner})
    assert texts(data) == ["From another.", LONG]
    data = docx(LONG, '<w:altChunk r:id="c.mht"/>', files={"c.mht": b"x"})
    assert problems(data) == ["Left out 1 embedded document."]


def test_a_bold_line_is_a_heading_only_above_prose() -> None:
    bold = par(run("Rent", "<w:b/>"))
    blocks = extract_blocks(docx(bold, bold, LONG, bold), ".docx")
    assert blocks == [Block("Rent"), Block("Rent", 7), Block(LONG), Block("Rent")]


def test_a_document_type_is_refused() -> None:
    data = docx(LONG)
    from written import rezipped

    def declare(name: str, part: bytes) -> bytes:
        return b'<!DOCTYPE x [<!ENTITY a "b">]>' + part if "document.xml" in name else part

    with pytest.raises(DocumentError, match="document type"):
        extract_blocks(rezipped(data, declare), ".docx")


_WORDS = st.lists(st.integers(0, 10**6).map(lambda at: f"word{at}x"), min_size=1, max_size=6)
_INLINE = st.sampled_from(
    ("{}", "<w:hyperlink>{}</w:hyperlink>", "<w:ins>{}</w:ins>", "<w:smartTag>{}</w:smartTag>",
     "<w:sdt><w:sdtContent>{}</w:sdtContent></w:sdt>",
     "<w:fldSimple w:instr='REF a'>{}</w:fldSimple>",
     "<w:moveTo>{}</w:moveTo>")
)  # fmt: skip
_GAP = st.sampled_from((run(" "), "<w:r><w:tab/></w:r>", "<w:r><w:br/></w:r>"))
_PARAGRAPH = st.lists(st.tuples(_WORDS, _INLINE, _GAP), min_size=1, max_size=4)
_BLOCK = st.one_of(
    st.tuples(st.just("p"), _PARAGRAPH),
    st.tuples(st.just("tbl"), st.lists(_PARAGRAPH, min_size=1, max_size=3)),
)  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(st.lists(_BLOCK, min_size=1, max_size=6))
def test_all_words_arrive_once_and_in_order(structure: list[tuple[str, list]]) -> None:  # type: ignore[type-arg]
    words: list[str] = []

    def paragraph(parts: list) -> str:  # type: ignore[type-arg]
        inner = []
        for held, wrapper, gap in parts:
            words.extend(held)
            inner += [wrapper.format(run(" ".join(held))), gap]
        return par(*inner)

    body = [
        paragraph(held) if kind == "p" else table([cell(paragraph(parts)) for parts in held])
        for kind, held in structure
    ]
    data = docx(*body)
    notes = Notes()
    blocks = extract_blocks(data, ".docx", notes=notes)
    read = " ".join(block.text for block in blocks)
    assert [word.strip(";:,") for word in read.split()] == words
    assert notes.problems == []
