from pathlib import Path

import pytest

from bonito_local.passages.language import language
from bonito_local.passages.reader import iter_passages
from bonito_local.passages.split import Lengths
from bonito_local.passages.types import Passage, Problem

TEXTS = {
    "en": "The tenant pays the rent on the first working day of each month, and owes interest.",
    "de": "Der Mieter zahlt die Miete am ersten Werktag jedes Monats und schuldet Zinsen, wenn "
    "eine Zahlung mehr als zehn Tage zu spät ist.",
    "fr": "Le locataire paie le loyer le premier jour ouvré de chaque mois et doit des intérêts "
    "si le paiement a plus de dix jours de retard.",
    "es": "El inquilino paga el alquiler el primer día hábil de cada mes y debe intereses si el "
    "pago se retrasa más de diez días.",
    "pt": "O inquilino paga a renda no primeiro dia útil de cada mês e deve juros se o pagamento "
    "estiver atrasado mais de dez dias.",
    "it": "L'inquilino paga l'affitto il primo giorno lavorativo di ogni mese e deve gli "
    "interessi se il pagamento è in ritardo di oltre dieci giorni.",
    "nl": "De huurder betaalt de huur op de eerste werkdag van elke maand en is rente "
    "verschuldigd als een betaling meer dan tien dagen te laat is.",
    "sv": "Hyresgästen betalar hyran den första arbetsdagen i varje månad och är skyldig ränta "
    "om en betalning är mer än tio dagar försenad.",
    "ru": "Арендатор платит арендную плату в первый рабочий день каждого месяца.",
    "ja": "賃借人は毎月の最初の営業日に賃料を支払います。",
    "zh": "承租人应在每月的第一个工作日支付租金。",
    "": "Id: 1; Name: Alpha; Fee: 20; Id: 2; Name: Beta; Fee: 30; Id: 3; Name: Gamma; Fee: 40",
}


@pytest.mark.parametrize("code", TEXTS)
def test_a_language_is_told(code: str) -> None:
    assert language(TEXTS[code]) == code
    assert language(TEXTS[code].upper()) == code


@pytest.mark.parametrize(
    "text",
    [
        "Short.",
        "If you are ready to submit a notice or a counter notice: how to submit a DMCA notice.",
        "The German term \u201eder Mieter zahlt die Miete\u201c means that a tenant pays rent.",
    ],
)
def test_english_with_other_words_is_no_other_language(text: str) -> None:
    assert language(text) in ("", "en")


def test_passages_that_are_not_english_are_said_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [TEXTS["en"], TEXTS["de"], TEXTS["fr"], TEXTS["de"]]
    path.write_text("\n".join(f'{{"text": "{line}"}}' for line in lines))
    found = list(iter_passages([path], lambda text: len(text.split()), Lengths(60)))
    passages = [item for item in found if isinstance(item, Passage)]
    assert [passage.language for passage in passages] == ["en", "de", "fr", "de"]
    (problem,) = [item for item in found if isinstance(item, Problem)]
    assert problem.title == "3 of 4 passages are not English (de, fr)."
