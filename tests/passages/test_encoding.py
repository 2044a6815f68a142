import pytest

from bonito_local.passages.encoding import guess_encoding
from bonito_local.passages.plain import decode

ENGLISH = "The tenant\u2019s caf\u00e9 pays \u2014 always \u2014 the rent on the first day. "
GERMAN = "Der Mieter zahlt am Werktag; f\u00fcr Versp\u00e4tungen gibt es \u201eZinsen\u201c. "
RUSSIAN = "Арендатор платит аренду в первый рабочий день месяца. "
JAPANESE = "賃借人は毎月の最初の営業日に賃料を支払います。"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (ENGLISH, "cp1252"),
        (ENGLISH, "mac_roman"),
        (ENGLISH, "utf-16-le"),
        (ENGLISH, "utf-16-be"),
        (GERMAN, "cp1252"),
        (GERMAN, "mac_roman"),
        (RUSSIAN, "cp1251"),
        (RUSSIAN, "koi8-r"),
        (RUSSIAN, "iso8859-5"),
        (JAPANESE, "shift_jis"),
        (JAPANESE, "euc_jp"),
    ],
)
@pytest.mark.parametrize("times", [3, 40])
def test_a_text_is_read_in_its_encoding(text: str, encoding: str, times: int) -> None:
    assert decode((text * times).encode(encoding)) == text * times


def test_an_accent_late_in_a_long_text_is_looked_at() -> None:
    text = "The tenant pays the rent. " * 5000 + "The caf\u00e9 too. " + "It rains. " * 5000
    assert guess_encoding(text.encode("mac_roman")) == "mac_roman"
    assert guess_encoding(text.encode("cp1252")) == "cp1252"


def test_one_broken_byte_makes_no_other_encoding_of_utf_8() -> None:
    good = "Caf\u00e9 \u2014 open. " * 20
    assert decode(good.encode() + b"\xe9t\xe9 " + good.encode()) == f"{good}\ufffdt\ufffd {good}"
