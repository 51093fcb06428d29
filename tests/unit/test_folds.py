"""Folded parts of a mail's text, and text that is never folded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailweir.reading import folds
from mailweir.reading.folds import Fold, FoldKind


def shown(text: str, subject: str = "") -> str:
    """The text without its folds, with normalised blanks."""
    position, parts = 0, []
    for fold in folds.find(text, subject):
        parts.append(text[position : fold.start])
        position = fold.end
    return " ".join("".join([*parts, text[position:]]).split())


def kinds(text: str, subject: str = "") -> list[FoldKind]:
    return [fold.kind for fold in folds.find(text, subject)]


ATTRIBUTIONS = {
    "english": "On Mon, Jun 3, 2024 at 10:00 AM Jane Roe <jane@client.example> wrote:",
    "english, in two lines": "On Mon, Jun 3, 2024 at 10:00 AM Jane Roe <\njane@client.example> wrote:",
    "english, in four lines": "On Jun 3, 2024,\nat 10:00,\nJane Roe\n<jane@client.example> wrote:",
    "english, without an address": "On 6/3/24 10:00 AM, Jane Roe wrote:",
    "german": "Am Mo., 3. Juni 2024 um 10:00 Uhr schrieb Jane Roe <jane@client.example>:",
    "thunderbird, german": "Am 03.06.24 um 10:00 schrieb Jane Roe:",
    "french": "Le lun. 3 juin 2024 à 10:00, Jane Roe <jane@client.example> a écrit :",
    "spanish": "El lun., 3 jun 2024 a las 10:00, Jane Roe (<jane@client.example>) escribió:",
    "portuguese": "Em seg., 3 de jun. de 2024 às 10:00, Jane Roe <jane@client.example> escreveu:",
    "italian": "Il giorno lun 3 giu 2024 alle ore 10:00 Jane Roe <jane@client.example> ha scritto:",
    "dutch": "Op ma 3 jun 2024 om 10:00 schreef Jane Roe <jane@client.example>:",
    "polish": "pon., 3 cze 2024 o 10:00 Jane Roe <jane@client.example> napisał(a):",
    "czech": "po 3. 6. 2024 v 10:00 odesílatel Jane Roe <jane@client.example> napsal:",
    "russian": "пн, 3 июн. 2024 г. в 10:00, Jane Roe <jane@client.example>:",
    "ukrainian": "пн, 3 черв. 2024 р. о 10:00 Jane Roe <jane@client.example> пише:",
    "swedish": "Den mån 3 juni 2024 kl 10:00 skrev Jane Roe <jane@client.example>:",
    "danish": "Den man. 3. jun. 2024 kl. 10.00 skrev Jane Roe <jane@client.example>:",
    "finnish": "ma 3. kesäk. 2024 klo 10.00 Jane Roe (jane@client.example) kirjoitti:",
    "hungarian": "Jane Roe <jane@client.example> ezt írta (időpont: 2024. jún. 3., H, 10:00):",
    "turkish": "Jane Roe <jane@client.example>, 3 Haz 2024 Pzt, 10:00 tarihinde şunu yazdı:",
    "greek": "Στις Δευ 3 Ιουν 2024 στις 10:00 π.μ., ο χρήστης Jane Roe <jane@client.example> έγραψε:",
    "chinese": "Jane Roe <jane@client.example> 于2024年6月3日周一 10:00写道：",
    "chinese, apple": "在 2024年6月3日，上午10:00，Jane Roe <jane@client.example> 写道：",
    "japanese": "2024年6月3日(月) 10:00 Jane Roe <jane@client.example>:",
    "korean": "2024년 6월 3일 (월) 오전 10:00, Jane Roe <jane@client.example>님이 작성:",
    "arabic": "في الاثنين، ٣ يونيو ٢٠٢٤ في ١٠:٠٠ تمت كتابة ما يلي بواسطة Jane Roe <jane@client.example>:",
    "hebrew": "\u200fבתאריך יום ב׳, 3 ביוני 2024 ב-10:00 מאת Jane Roe <\u200fjane@client.example\u200f>:\u200f",
    "vietnamese": "Vào Th 2, 3 thg 6, 2024 vào lúc 10:00 Jane Roe <jane@client.example> đã viết:",
    "indonesian": "Pada tanggal Sen, 3 Jun 2024 pukul 10.00 Jane Roe <jane@client.example> menulis:",
    "by date first": "2024-06-03 10:00 GMT+02:00 Jane Roe <jane@client.example>:",
    "without a word for it": '03.06.2024, 10:00, "Jane Roe" <jane@client.example>:',
    "zoho": "---- On Mon, 03 Jun 2024 10:00:00 +0200 jane@client.example wrote ----",
    "broken in its brackets": "On Mon, Jun 3, 2024 at 10:00 Jane Roe <jane@client.example\n> wrote:",
}


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_a_quote_is_folded_with_its_attribution(attribution: str) -> None:
    text = f"Thank you, that suits us.\n\n{attribution}\n\n> Shall we say Tuesday?\n> Jane\n"
    assert shown(text) == "Thank you, that suits us."
    assert kinds(text) == [FoldKind.QUOTE]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS)
def test_a_quote_without_marks_is_folded_with_its_attribution(attribution: str) -> None:
    text = f"Thank you, that suits us.\n\n{attribution}\n\nShall we say Tuesday?\n\nJane\n"
    assert shown(text) == "Thank you, that suits us."


HEADERS = {
    "english": "From: Jane Roe <jane@client.example>\nSent: Monday, June 3, 2024 10:00\nTo: Bob\nSubject: Tuesday",
    "bold": "*From:* Jane Roe <jane@client.example>\n*Sent:* Monday, June 3, 2024\n*To:* Bob\n*Subject:* Tuesday",
    "mac": "From: Jane Roe <jane@client.example>\nDate: Monday, 3 June 2024 at 10:00\nTo: Bob\nSubject: Tuesday",
    "from html": "From: Jane Roe\n\nSent: Monday, June 3, 2024 10:00\n\nTo: Bob\n\nSubject: Tuesday",
    "an address in two lines": "From: Jane Roe\n<jane@client.example>\nSent: Monday\nTo: Bob\nSubject: Tuesday",
    "german": "Von: Jane Roe <jane@client.example>\nGesendet: Montag, 3. Juni 2024 10:00\nAn: Bob\nBetreff: Dienstag",
    "french": "De : Jane Roe <jane@client.example>\nEnvoyé : lundi 3 juin 2024 10:00\nÀ : Bob\nObjet : Mardi",
    "spanish": "De: Jane Roe <jane@client.example>\nEnviado el: lunes, 3 de junio de 2024 10:00\nPara: Bob\nAsunto: Martes",
    "polish": "Od: Jane Roe <jane@client.example>\nWysłano: poniedziałek, 3 czerwca 2024 10:00\nDo: Bob\nTemat: Wtorek",
    "russian": "От: Jane Roe <jane@client.example>\nОтправлено: 3 июня 2024 г. 10:00\nКому: Bob\nТема: Вторник",
    "chinese": "发件人：Jane Roe <jane@client.example>\n发送时间：2024年6月3日 10:00\n收件人：Bob\n主题：星期二",
    "japanese": "差出人: Jane Roe <jane@client.example>\n送信日時: 2024年6月3日 10:00\n宛先: Bob\n件名: 火曜日",
    "korean": "보낸 사람: Jane Roe <jane@client.example>\n보낸 날짜: 2024년 6월 3일\n받는 사람: Bob\n제목: 화요일",
    "arabic": "من: Jane Roe <jane@client.example>\nتاريخ الإرسال: ٣ يونيو ٢٠٢٤\nإلى: Bob\nالموضوع: الثلاثاء",
    "hebrew": "מאת: Jane Roe <jane@client.example>\nנשלח: 3 יוני 2024\nאל: Bob\nנושא: יום שלישי",
    "turkish": "Kimden: Jane Roe <jane@client.example>\nGönderildi: 3 Haziran 2024\nKime: Bob\nKonu: Salı",
    "a language that no table has": "_______________\nXanna: Jane Roe <jane@client.example>\nXdati: 3.6.2024 10:00\nXoni: "
    "Bob\nXtemo: Y",
}


@pytest.mark.parametrize("rule", ["", "________________________________\n", "-----Original Message-----\n", "\n \n"])
@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_what_a_header_opens_is_folded_below_a_reply(header: str, rule: str) -> None:
    text = f"Thank you, that suits us.\n\n{rule}{header}\n\nShall we say Tuesday?\n\nJane\n"
    assert shown(text, "Re: Tuesday") == "Thank you, that suits us."
    assert kinds(text, "Re: Tuesday") == [FoldKind.QUOTE]


@pytest.mark.parametrize("header", HEADERS.values(), ids=HEADERS)
def test_of_a_forwarded_message_only_the_header_is_folded(header: str) -> None:
    text = f"For the record.\n\n{header}\n\nShall we say Tuesday?\n"
    assert shown(text, "Fwd: Tuesday") == "For the record. Shall we say Tuesday?"
    assert kinds(text, "Fwd: Tuesday") == [FoldKind.FORWARDED]


def test_text_behind_a_quote_leaves_quotes_shown() -> None:
    text = "On Mon, Jun 3, 2024 Jane <jane@client.example> wrote:\n> Tuesday?\n\nYes.\n\n> At ten?\n\nNo, at nine.\n"
    assert folds.find(text) == ()


def test_what_is_quoted_behind_the_last_answer_is_folded() -> None:
    assert (
        shown("> Tuesday?\n\nYes.\n\n> At ten?\n\nNo, at nine.\n\n> Jane\n") == "> Tuesday? Yes. > At ten? No, at nine."
    )


def test_the_one_quote_above_an_answer_is_folded() -> None:
    text = "On Mon, Jun 3, 2024 Jane <jane@client.example> wrote:\n\n> Shall we say Tuesday?\n\nYes, at nine.\n"
    assert shown(text) == "Yes, at nine."


def test_an_unmarked_answer_below_a_quote_is_shown() -> None:
    text = "Hello Jane,\n\nOn Mon, Jun 3, 2024 Jane <jane@client.example> wrote:\n> Tuesday?\n\nYes, at nine.\n"
    assert folds.find(text) == ()


def test_a_line_that_a_program_broke_belongs_to_the_quote() -> None:
    text = "Yes.\n\n> This line was too long for the program that quoted it, which\nbroke it.\n> Jane\n"
    assert shown(text) == "Yes."


@pytest.mark.parametrize("answer", ["Yes.", "no", "agreed, but at nine"])
def test_an_answer_right_below_a_question_is_shown(answer: str) -> None:
    text = f"Hello,\n\n> Shall we say Tuesday, at ten o'clock in the morning, at our office?\n{answer}\n> Jane\n"
    assert answer in shown(text)


@pytest.mark.parametrize(
    "quote",
    [
        "> > Tuesday?\n> Yes.",
        ">> Tuesday?\n>Yes.",
        "» Tuesday?\n» Yes.",
        "JR> Tuesday?\nJR> Yes.",
        "  > Tuesday?\n  > Yes.",
    ],
)
def test_quotes_are_known_by_their_marks(quote: str) -> None:
    assert shown(f"Fine.\n\n{quote}\n") == "Fine."


def test_a_bar_quotes_below_an_attribution() -> None:
    assert shown("Fine.\n\n2024/6/3 Jane <jane@client.example>\n\n| Tuesday?\n| Jane\n") == "Fine."


def test_a_table_is_no_quote() -> None:
    assert folds.find("The prices:\n\n| what | price |\n| --- | --- |\n| one | 10 |\n") == ()


SIGNATURES = {
    "the mark": "-- \nJane Roe\nClient Ltd",
    "the mark without its blank": "--\nJane Roe",
    "a rule": "_______________\nJane Roe\njane@client.example\n+49 30 1234567",
    "a closing with a card": "Best regards,\nJane Roe\nHead of Sales\n+49 30 1234567",
    "a closing apart from the card": "Best regards,\n\nJane Roe\nClient Ltd\nwww.client.example",
    "a card": "Jane Roe\nClient Ltd\n+49 30 1234567\njane@client.example",
    "a german closing": "Mit freundlichen Grüßen,\nJane Roe\nVertrieb\nTel. 030 1234567",
}


@pytest.mark.parametrize("signature", SIGNATURES.values(), ids=SIGNATURES)
@pytest.mark.parametrize("quote", ["", "\nOn Mon, Jun 3, 2024 Jane <jane@client.example> wrote:\n> Tuesday?\n"])
def test_a_signature_is_folded(signature: str, quote: str) -> None:
    text = f"Tuesday suits us.\n\n{signature}\n{quote}"
    assert shown(text) == "Tuesday suits us."
    assert kinds(text)[0] is FoldKind.SIGNATURE


PHONES_LINES = [
    *(
        "Sent from my iPhone",
        "Sent from Outlook for Android<https://aka.ms/x>",
        "Get Outlook for iOS<https://aka.ms/x>",
        "Von meinem iPhone gesendet",
    ),
    *(
        "Gesendet mit der GMX Mail App",
        "Envoyé de mon iPhone",
        "Enviado desde mi iPhone",
        "Enviado do meu iPhone",
        "Inviato da iPhone",
    ),
    *(
        "Verzonden vanaf mijn iPhone",
        "Wysłane z iPhone'a",
        "Odesláno z iPhonu",
        "Skickat från min iPhone",
        "Sendt fra min iPhone",
    ),
    *(
        "Lähetetty iPhonesta",
        "Отправлено с iPhone",
        "iPhone'umdan gönderildi",
        "发自我的iPhone",
        "iPhoneから送信",
        "나의 iPhone에서 보냄",
    ),
    *(
        "Στάλθηκε από το iPhone μου",
        "נשלח מה-iPhone שלי",
        "Elküldve az iPhone-omról",
        "Trimis de pe iPhone-ul meu",
        "Được gửi từ iPhone của tôi",
    ),
]


@pytest.mark.parametrize("line", PHONES_LINES)
def test_a_phones_line_is_a_signature(line: str) -> None:
    assert shown(f"Tuesday suits us.\n\n{line}\n") == "Tuesday suits us."
    assert shown(f"Tuesday suits us.\n\n{line}\n\n> Tuesday?\n") == "Tuesday suits us."
    assert kinds(f"Tuesday suits us.\n\n{line}\n") == [FoldKind.SIGNATURE]


DISCLAIMERS = [
    "This message is confidential and intended for its recipient alone. If you have received it in error, delete it and "
    "tell us at once.",
    "Diese Nachricht ist vertraulich und nur für den Empfänger bestimmt. Haben Sie sie irrtümlich erhalten, so löschen Sie "
    "sie bitte umgehend.",
    "Ce message est confidentiel et réservé à son destinataire. Si vous l'avez reçu par erreur, merci de le supprimer et de "
    "nous en avertir.",
    "Este mensaje es confidencial y va dirigido a su destinatario. Si lo recibe por error, le rogamos eliminarlo y "
    "avisarnos de inmediato.",
    "Данное сообщение является конфиденциальным и предназначено адресату. Если вы получили его по ошибке, удалите его и "
    "сообщите нам.",
]


@pytest.mark.parametrize("disclaimer", DISCLAIMERS)
def test_a_disclaimer_is_folded(disclaimer: str) -> None:
    text = f"Tuesday suits us.\n\nBest regards,\nJane Roe\nHead of Sales\n+49 30 1234567\n\n{disclaimer}\n"
    assert shown(text) == "Tuesday suits us."
    assert kinds(text) == [FoldKind.SIGNATURE, FoldKind.DISCLAIMER]


WANTED = {
    "a list of dashes": "We need:\n\n-- the contract\n-- the plan\n-- the price\n",
    "a rule amid the text": "First part.\n\n-----\n\nThe second part is here, and it matters as much as the first.\n",
    "a heading of rules": "Plan:\n\n---- Key points ----\n\nWe begin on Monday.\n",
    "a colon behind a date": "Meeting on 3 June 2024 at 10:00:\n\nPlease bring the contract.\n",
    "an address before a colon": "Please write to jane@client.example:\n\nShe has the contract.\n",
    "who wrote, amid a sentence": "As Jane wrote in her mail: we begin on Monday.\n\nShall we?\n",
    "what was written once": "In my mail of 3 June I wrote:\n\nWe begin on Monday.\n",
    "a web form": "Name: Jane Roe\nEmail: jane@client.example\nPhone: +49 30 1234567\nMessage: please call me\n",
    "a journey": "We travel.\n\nFrom: London\nTo: Paris\nDate: 3 June 2024\n\nPlease book it.\n",
    "an address to deliver to": "Please deliver it to:\n\nJane Roe\n5 High Street\n+49 30 1234567\njane@client.example\n",
    "a closing alone": "Tuesday suits us.\n\nThanks,\nJane\n",
    "a phone in a sentence": "The mail was lost.\n\nSent from my desk, it would have come.\n",
    "a phone in the question": "Hello,\n\nGet the phone number of Bob, please\n",
    "a secret": "This is confidential, please delete it.\n\nJane\n",
    "a postscript": "Tuesday suits us.\n\nThanks,\nJane\nPS: can you bring the contract with you on Tuesday?\n",
    "code": "The text:\n\n```\n--\nJane\n```\n\nIt fails.\n",
    "on, at the beginning": "On the whole, it suits us.\nOn the other hand, it is late.\n",
    "a rule above a number": "Part one is done.\n\n---\n\nPart two: call Bob at +49 30 1234567\n",
    "dashes between thoughts": "First thought.\n\n--\n\nThe second thought is a full sentence of mine.\n",
    "a date and an address": "Hello\n\nFor the call on 3 June 2024 at 10:00 write to Bob <bob@demo.example>:\n\nhe has it\n",
    "an order": "Please order:\n\nItem: chairs\nTo: the office\nDate: 3 June 2024\nSubject: furniture\n\nThanks, Bob\n",
    "times": "These times are free:\n\n2024-06-03 10:00\n03.06.2024 11:00\n\nWhich one suits you?\n",
}


@pytest.mark.parametrize("text", WANTED.values(), ids=WANTED)
def test_what_somebody_wrote_is_shown(text: str) -> None:
    assert folds.find(text) == ()


@pytest.mark.parametrize(
    "text",
    [
        "> Nothing but a quote.\n",
        "On Mon, Jun 3, 2024 Jane <jane@client.example> wrote:\n> Tuesday?\n",
        "-- \nJane Roe\n",
        "Sent from my iPhone\n",
        "From: Jane <jane@client.example>\nSent: Monday\nTo: Bob\nSubject: Tuesday\n",
        "",
        "\n \n",
    ],
)
def test_never_is_everything_hidden(text: str) -> None:
    assert shown(text) == " ".join(text.split())


def test_a_reply_without_words_shows_its_signature_and_folds_its_quote() -> None:
    assert shown("Sent from my iPhone\n\n> Tuesday?\n") == "Sent from my iPhone"


def test_a_header_at_the_top_is_a_forwarded_messages() -> None:
    text = "From: Jane <jane@client.example>\nSent: Monday\nTo: Bob\nSubject: Tuesday\n\nShall we say Tuesday?\n"
    assert shown(text) == "Shall we say Tuesday?"


def test_folds_are_characters_of_the_text() -> None:
    text = "Ja.\n\nAm 03.06.24 um 10:00 schrieb Jane Roe:\n> Dienstag?\n"
    assert folds.find(text) == (Fold(kind=FoldKind.QUOTE, start=5, end=len(text) - 1),)


PIECES = st.sampled_from(
    [
        *(
            "Yes, that suits us.",
            "Thanks,",
            "Jane Roe",
            "--",
            "-- ",
            "> Tuesday?",
            ">> At ten?",
            "| a bar",
            "_____",
            "-----Original Message-----",
        ),
        *(
            "On Mon, Jun 3, 2024 at 10:00 Jane <jane@client.example> wrote:",
            "Sent from my iPhone",
            "+49 30 1234567",
            "www.client.example",
        ),
        *(
            "From: Jane <jane@client.example>",
            "Sent: Monday, June 3, 2024",
            "To: Bob",
            "Subject: Tuesday",
            "---------- Forwarded message ---------",
        ),
        *(
            "",
            "",
            " ",
            ">",
            "Begin forwarded message:",
            "> wrote:",
            "<jane@client.example",
            DISCLAIMERS[0],
            "写道：",
            "🎉",
            "...",
            "```",
        ),
    ]
)
TEXTS = st.lists(PIECES, max_size=14).map("\n".join) | st.text(max_size=200)


@given(TEXTS, st.sampled_from(["", "Re: Tuesday", "Fwd: Tuesday"]))
def test_folds_are_ascending_within_the_text_and_apart(text: str, subject: str) -> None:
    edges = [edge for fold in folds.find(text, subject) for edge in (fold.start, fold.end)]
    assert edges == sorted(set(edges))
    assert all(0 <= edge <= len(text) for edge in edges)


@given(TEXTS, st.sampled_from(["", "Re: Tuesday", "Fwd: Tuesday"]))
def test_something_is_shown_of_a_text_that_says_something(text: str, subject: str) -> None:
    assert bool(re.search(r"\w", shown(text, subject).replace("_", ""))) >= bool(re.search(r"[^\W_]", text))


@given(TEXTS, st.sampled_from(["", "Re: Tuesday", "Fwd: Tuesday"]))
def test_a_paragraph_above_is_never_hidden(text: str, subject: str) -> None:
    paragraph = "We begin with the second part on Monday"
    assert shown(f"{paragraph}\n\n{text}", subject).startswith(paragraph)
