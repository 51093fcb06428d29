"""The paragraph that firms put below each mail: it is confidential, it is for the addressee, and other readers should delete it.

Recognised as a long last paragraph with words of two of these three subjects. Pure. Called by `folds`.
"""

from collections.abc import Sequence

from mailweir.reading.label_words import MESSAGE
from mailweir.reading.lines import Line, is_rule
from mailweir.reading.word_hints import Hints

_MIN_CHARS = 120
_MAX_LINES = 80
_READ_CHARS = 4_000
_CONFIDENTIAL = (
    r"confiden|privileged|vertraulich|rechtlich geschützt|vertrouwelijk|riservat|poufn|důvěrn|dôvern|fortrolig|konfident"
    r"|luottamuksell|bizalmas|конфиденц|конфіденц|поверит|повериτ|εμπιστευτικ|απόρρητ"
    r"|gizli|机密|機密|保密|기밀|비밀|bảo mật|rahasia|sulit|ความลับ|סודי|חסוי|سري|محرمان|povjerljiv|zaupn|konfidents"
    r"|konfidencial|trúnað|confidenç|secret"
)
_ADDRESSEE = (
    r"recipient|addressee|intended|empfänger|adressat|destinatair|destinatari|destinatár|geadresseerde|bestemd|ontvanger"
    r"|adresat|odbiorc|příjemc|adresát|modtager|mottaker|mottagare|vastaanottaj"
    r"|címzett|адресат|получател|одержувач|παραλήπτ|alıcı|muhatab|收件|接收|宛先|受信|수신|người nhận|penerima|ผู้รับ|נמען"
    r"|المرسل إليه|المستلم|مخاطب|گیرنده|primatel|prejemnik|saaja|gavėj|saņēmēj|viðtakand"
)
# words by subject
_MAIL = (
    r"communicat|transmi[st]|\binformation|courri[ee]l|comunica|inhalt|contenu|conteú|contenid|contenut|treść|obsah|innehåll|indhold|innhold"
    r"|tartalm|содерж|зміст|περιεχ|içeri|信息|資訊|情報|내용|nội dung|isi |תוכן|محتو|документ|document|dokument|viestin|sisält"
)
_ERROR = (
    r"in error|by mistake|mistaken|delete|destroy|unauthori[sz]ed|disclos|disseminat|irrtümlich|versehentlich|löschen"
    r"|vernichten|erreur|supprim|détrui|por error|eliminar|elimin|errone|apagar|cancella|abusievelijk|verwijder|vergissing"
    r"|omyłk|usun|omyl|smaž|vymaz|fejl|slet|slett|misstag|radera|virheel|poist|téved|törö|ошибк|удал|помилк|видал|λάθος"
    r"|διαγρά|yanlış|sil|删除|刪除|误|削除|誤|삭제|실수|nhầm|xóa|kesalahan|hapus|ลบ|בטעות|למחוק|خطأ|حذف|اشتباه|greškom"
    r"|izbriš|pomot"
)
_HINTS = Hints((_CONFIDENTIAL, _ADDRESSEE, _ERROR, _MAIL))
_OF_A_DISCLAIMER = 0b111


def begins(lines: Sequence[Line], low: int, high: int) -> int | None:
    """The first line of the disclaimer that ends with the line before `high`; None if there is none."""
    found = None
    first = high
    while first > low and high - first < _MAX_LINES:
        start = _paragraph(lines, low, first)
        if start is None:
            break
        text = " ".join(line.body for line in lines[start:first])
        if _is_disclaimer(text):
            found = start
        elif not (first == high and len(text) < _MIN_CHARS and found is None and is_rule(lines[start].body)):
            break
        first = start
    while found is not None and found > low and is_rule(lines[found - 1].body):
        found -= 1
    return found


def _paragraph(lines: Sequence[Line], low: int, end: int) -> int | None:
    first = end
    while first > low and end - first < _MAX_LINES and lines[first - 1].depth == 0 and lines[first - 1].body:
        first -= 1
        if lines[first].after_blank or is_rule(lines[first].body):
            break
    return first if first < end else None


def _is_disclaimer(text: str) -> bool:
    head = text[:_READ_CHARS]
    is_wide = not head.isascii() and max(head) > "\u2e80"
    if len(head) < (_MIN_CHARS // 3 if is_wide else _MIN_CHARS) or head.endswith(("?", "？", "؟")):
        return False
    kinds = _HINTS.of(head)
    if (kinds & _OF_A_DISCLAIMER).bit_count() < 2:
        return False
    return kinds > _OF_A_DISCLAIMER or MESSAGE.search(head) is not None
