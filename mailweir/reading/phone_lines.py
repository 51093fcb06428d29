"""The line that a phone or a mail program puts below each mail: `Sent from my phone`, `Get Outlook for iOS`.

Recognised by its beginning (or its end, in languages with the verb last), the name of the program or device, and its few words.
Pure. Called by `signature` and `openings`.
"""

import re
from collections.abc import Sequence

from mailweir.reading.lines import Line

# The beginnings of the lines that phones and mail programs put below a mail, and their names for themselves.
_SENT = re.compile(
    r"[<(\[*_~ ]{0,4}(?:(?:(?:this |the )?(?:e-?mail|message) (?:was )?)?sent (?:from|via|with|by|using|through|on)\b"
    r"|from my\b|[a-z]{1,20} from mobile$"
    r"|(?:get|hol dir|holen sie sich|obten\w{0,3}|scarica|ottieni|download|obtenha|télécharge[rz]|descarga\w?|baixa\w?"
    r"|pobierz|tải|hämta|hent|hanki|szerezd|stáhn\w{0,3}|скачать|загруз\w{0,5}|получ\w{0,4}|отримайте|取得|获取"
    r"|다운로드)\W{1,3}(?:\w{2,4} )?outlook"
    r"|(?:diese (?:nachricht|e-?mail|mail) wurde |von meine|gesendet (?:von|mit|aus|über|via|per))|versonden|gestuur"
    r"|(?:message |courriel |e-?mail )?envoy[ée]e? (?:de|depuis|à partir|avec|par|via|du|sur)\b|envoyé d['’]"
    r"|(?:mensaje |mensagem |correo )?envia(?:do|da|t) (?:desde|do|de|da|a partir|a través|por|pelo|com|con|via|vía|des|amb"
    r"|usando|mediante)\b|(?:messaggio )?inviat[oa] (?:da|dal|dall|con|tramite)"
    r"|ver(?:zonden|stuurd) (?:vanaf|met|vanuit|van|via|door)\b|wysłan\w{1,2} (?:z|ze|przy|przez)\b|wyslan\w z"
    r"|odesl[aá]\w{1,2} (?:z|ze|pomocí|prostřednictvím)\b|odoslan[eéáý] (?:z|zo|pomocou|prostredníctvom)\b"
    r"|posla(?:no|to|ne) (?:z|s|sa|iz|putem|prek)\b|skickat? (?:från|via|med)|sendt (?:fra|via|med|med hjelp)|lähetet"
    r"|saadetud|(?:el)?küldve|trimis (?:de|din|cu|prin)"
    r"|(?:сообщение |письмо )?отправлен\w{0,2} (?:с|из|через|от)\b|надіслан\w (?:з|із|через)\b|изпратен\w (?:от|с|чрез)\b"
    r"|послато (?:са|с|преко)\b|στάλθηκε|απεσταλ|εστάλη"
    r"|发自|發自|從我的|从我的|來自我的|来自我的|傳送自|发送自|寄自|通过|iphone ?から|ipad ?から|android ?から"
    r"|(?:được )?gửi (?:từ|bằng)|đã gửi từ|dikirim (?:dari|melalui)|terkirim dari|dihantar daripada"
    r"|ส่งจาก|נשלח מ|أ?ُ?رسلت? من|تم الإرسال من|مرسل[ةه]? من|ارسال ?شده|فرستاده|išsiųst|nosūtīt|sent frá|dërguar nga|bidalia|इस)",
    re.IGNORECASE,
)
_DEVICE = re.compile(
    r"iphon|ipad|ipod|\bios\b|android|blackberry|\bgalaxy\b|samsung|huawei|xiaomi|redmi|nokia|\bhtc\b|\bsony\b|xperia"
    r"|motorola|oneplus|pixel \d|alcatel|windows|outlook"
    r"|yahoo|gmail|mailbox|thunderbird|airmail|spark|\bk-9\b|typeapp|proton|fastmail|\bnine\b|bluemail"
    r"|aquamail|newton|edison|zoho|\bgmx\b|web\.de|t-online"
    r"|tutanota|mobil|handy|smartphone|telefon|teléfono|telefono|téléphone|telefoon|phone|\bcell\b|tablet|手机|手機|携帯"
    r"|휴대폰|телефон|κινητό|มือถือ|هاتف|جوال|\bmy\b|\bmein|\bmon\b|\bmi\b|\bmeu\b|\bmio\b|\bmijn\b|\bmin\b|\bmoj|\bmého\b"
    r"|моего|мого",
    re.IGNORECASE,
)
_PROGRAM = re.compile(
    r"\b[A-Z0-9][\w.-]{0,20} Mail\b|[^\W\d_]{2}Mail\b"
)  # `Any Mail`, `AnyMail`, and not `sent by mail`
_EXCUSE = re.compile(r"excus|typo|brevity|pardon|kürze|tippfehler|fautes|breve|errores|erreurs", re.IGNORECASE)
_LINK = re.compile(r"<[^<>]{0,300}>|\(\s?https?://[^()\s]{0,300}\s?\)|https?://\S{0,300}")
_MAX_PHONE_WORDS = 9
_MAX_PHONE_CHARS = 300


def is_phones_line(lines: Sequence[Line], index: int) -> bool:
    """Is this line unquoted, and put below each mail by a phone or program?"""
    if index < 0 or lines[index].depth:
        return False
    return is_programs_own(lines[index].body)


def is_programs_own(body: str) -> bool:
    """`Sent from my phone`, `Get Outlook for iOS<link>`: how it was sent and by which program, in few words."""
    return _begins_as_sent(body) or _ends_as_sent(body)


def _begins_as_sent(body: str) -> bool:
    if len(body) > _MAX_PHONE_CHARS or not _SENT.match(body):
        return False
    text = body if body.startswith(("<", "(", "[")) else _LINK.sub(" ", body)
    if not _DEVICE.search(text) and not _PROGRAM.search(text) and not _is_named_with_link(body, text):
        return False
    if _EXCUSE.search(text):
        return len(text.split()) <= 25
    if len(text.split()) > _MAX_PHONE_WORDS or "," in text or "?" in text:
        return False
    is_sentence = text.rstrip().endswith((".", "!")) and len(text.split()) > 6
    return (
        not is_sentence or _PROGRAM.search(" ".join(text.split()[-2:])) is not None
    )  # it ends with the program's name


def _is_named_with_link(body: str, text: str) -> bool:
    words = text.split()
    return body != text and 2 <= len(words) <= 5 and words[-1][0].isupper()


# Languages with the verb last.
_SENT_LAST = re.compile(
    r"(?:gesendet|gesendet\.|から送信|에서 보냄|에서 전송|gönderildi|傳送|发送|寄出|से भेजा गया|küldve|साझा"
    r"|送信されました|入手|다운로드|indirin|edinin)[.。]?$",
    re.IGNORECASE,
)


def _ends_as_sent(body: str) -> bool:
    return len(body) <= 100 and len(body.split()) <= 11 and bool(_SENT_LAST.search(body) and _DEVICE.search(body))
