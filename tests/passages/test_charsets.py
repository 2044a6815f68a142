import codecs

import pytest

from bonito_local.passages.charsets import codec_of, declared_charset, decode_declared, decode_page

POLISH = "Umowa najmu zostaje zawarta na czas określony. Źródłem ciepła jest piec gazowy."
CHINESE = "租客在每月的第一个工作日支付租金，押金为三个月的租金。"
JAPANESE = "賃借人は毎月の最初の営業日に賃料を支払います。①②"


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("ISO-8859-1", "cp1252"),
        ("latin1", "cp1252"),
        ("us-ascii", "cp1252"),
        ("gb2312", "gb18030"),
        ("GBK", "gb18030"),
        ("shift_jis", "cp932"),
        ("x-sjis", "cp932"),
        ("ks_c_5601-1987", "cp949"),
        ("big5", "big5hkscs"),
        ("iso-8859-9", "cp1254"),
        ("'utf8';", "utf-8"),
        ("utf8mb4", "utf-8"),
        ("utf-7", "utf-7"),
        ("rot13", None),
        ("base64", None),
        ("x-none", None),
    ],
)
def test_a_charset_means_what_it_means_on_the_web(label: str, codec: str | None) -> None:
    assert codec_of(label) == codec


@pytest.mark.parametrize(
    "meta",
    [
        '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-2">',
        "<META HTTP-EQUIV=content-type CONTENT='text/html;charset=ISO-8859-2'>",
        "<meta charset=iso-8859-2>",
        "<!-- <meta charset=utf-16> --><meta charset='iso-8859-2'>",
        "<meta charset='none'><meta charset='iso-8859-2'>",
        "<script>var a='<meta charset=koi8-r>'</script><meta charset=\" iso-8859-2\" />",
        '<meta content="text/html; charset=&quot;" charset="iso-8859-2">',
        "<?xml version='1.0' encoding='iso-8859-2'?>",
        f"<!-- {'a long preamble ' * 200} --><meta charset=iso-8859-2>",
    ],
)
def test_a_page_is_read_in_the_charset_that_it_declares(meta: str) -> None:
    page = f"{meta}<p>{POLISH}</p>".encode("iso-8859-2")
    assert decode_page(page).endswith(f"<p>{POLISH}</p>")


def test_a_byte_order_mark_counts_before_what_is_declared() -> None:
    page = f"<meta charset=iso-8859-1><p>{POLISH}</p>"
    for bom, codec in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        assert decode_page(bom + page.encode(codec)) == page
    assert declared_charset(codecs.BOM_UTF8 + page.encode()) == "iso-8859-1"


def test_utf_8_under_a_single_byte_name_is_utf_8() -> None:
    assert decode_page(f"<meta charset=iso-8859-1>{POLISH}".encode()).endswith(POLISH)
    assert decode_declared(POLISH.encode("utf-16-le"), "utf-16") == POLISH
    assert decode_declared(POLISH.encode("utf-16-be"), "utf-16") == POLISH


@pytest.mark.parametrize(
    ("text", "label", "codec"),
    [
        (CHINESE + "镕", "gb2312", "gbk"),
        (JAPANESE, "shift_jis", "cp932"),
        (JAPANESE, "iso-2022-jp", "iso2022_jp_ext"),
        ("“off” – €40 … it’s", "iso-8859-1", "cp1252"),
        ("caf\u00e9 \u2014 open", "", "utf-8"),
        ("caf\u00e9 is open", "x-none", "cp1252"),
        ("caf\u00e9 is open", "utf-8", "cp1252"),
    ],
)
def test_text_is_decoded_by_its_label(text: str, label: str, codec: str) -> None:
    if codec == "iso2022_jp_ext":
        text = text.rstrip("①②")
    assert decode_declared(text.encode(codec), label) == text


def test_bytes_that_a_charset_leaves_undefined_are_kept_as_characters() -> None:
    assert decode_declared(b"a\x81b \xe9", "windows-1252") == "a\x81b \u00e9"
    assert decode_declared(b"\xb0\xa1\xff", "gb2312") == "\u554a\ufffd"
