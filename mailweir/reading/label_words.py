"""Small tables of words that mail programs write themselves, in some fifty languages. They are hints; the structure of the text
decides.

Labels of a header (`From:`), and the last words of an attribution (`wrote:`). All case-folded and in NFKC. Pure. Called by
`header_block`, `attribution`, `marker`, `prefixes` and `forwarded`.
"""

import re
import unicodedata
from enum import Enum, auto

from mailweir.reading.word_hints import Hints


class Field(Enum):
    """The meaning of a label."""

    FROM = auto()
    DATE = auto()
    TO = auto()
    SUBJECT = auto()
    CC = auto()
    OTHER = auto()


_LABELS = {
    Field.FROM: "from/von/absender/de/expéditeur/remitente/da/mittente/van/afzender/od/nadawca/odesílatel/odosielateľ"
    "/pošiljatelj/fra/från"
    "/frå/avsändare/avsender/afsender/lähettäjä/saatja/kellelt/feladó/de la/expeditor/от/отправитель/від/відправник/подател"
    "/изпращач/од/пошиљалац"
    "/από/αποστολέας/kimden/gönderen/gonderen/发件人/寄件者/寄件人/發件人/发件者/自/差出人/送信者/送信元/보낸 사람/보낸사람"
    "/발신자/발신인/từ/người gửi"
    "/จาก/ผู้ส่ง/من/المرسل/از/فرستنده/מאת/dari/pengirim/daripada/nuo/siuntėjas/no/sūtītājs/frá/nork/nga/प्रेषक/से/থেকে/প্রেরক/ад"
    "/кімнен/mula kay"
    "/kutoka/oddi wrth/ó/remetente/šalje/expeditorul/od koho/від кого/enviado por/expedidor/remitent/envoyé par"
    "/gesendet von/ფრომ/გამომგზავნი/ում կողմից/ուղարկող/sender/şuradan/od kogo/от кого/verzender",
    Field.DATE: "date/dată/sent/sent on/sent at/datum/gesendet/gesendet am/envoyé/envoyé le/envoyée/fecha/enviado"
    "/enviado el/enviado em/enviada"
    "/enviada em/enviado a/data/data de envio/inviato/inviata/data invio/verzonden/verzonden op/verstuurd/wysłano/wysłane"
    "/data wysłania/odesláno"
    "/datum odeslání/odoslané/dátum/poslano/dato/sendt/sendte/skickat/skickades/päivämäärä/päiväys/lähetetty/pvm/kuupäev"
    "/saadetud/elküldve/küldve"
    "/dátum/data trimiterii/trimis/trimis la/expediată/дата/отправлено/дата отправки/надіслано/відправлено/дата надсилання"
    "/изпратено/послато/датум/ημερομηνία"
    "/ημ/νία/στάλθηκε/εστάλη/tarih/gönderildi/gönderilen/gönderme tarihi/gönderim tarihi/发送时间/發送時間/传送时间"
    "/傳送時間/日期/寄件日期/时间/時間/日付/日時/送信日時"
    "/送信日/보낸 날짜/날짜/보낸 시간/발신일/ngày/ngày gửi/đã gửi/thời gian/วันที่/ส่ง/ส่งเมื่อ/التاريخ/تاريخ/تاريخ الإرسال"
    "/أرسلت/تم الإرسال/تاریخ/ارسال/תאריך/נשלח"
    "/tanggal/terkirim/dikirim/tarikh/dihantar/išsiųsta/data ir laikas/datums/nosūtīts/dagsetning/sent/bidalita/enviat"
    "/dërguar/दिनांक/तारीख"
    "/भेजा गया/তারিখ/күні/petsa/tarehe/dyddiad/dáta/message du/datum und uhrzeit/date et heure/fecha y hora/date d'envoi"
    "/datum/tid/timp/când/kiedy/发送日期/發送日期/αποστολή/poslato/испратено/გაგზავნილია/жіберілді/адпраўлена"
    "/enviado a las/data e ora/envoyé à/ارسال شده/wysłane dnia/date sent",
    Field.TO: "to/an/à/a/pour/destinataire/destinatario/para/aan/do/komu/adresát/prima/primatelj/til/till/vastaanottaja"
    "/kenelle/saaja/kellele"
    "/címzett/către/catre/destinatar/destinatarul/кому/получатель/до/одержувач/за/прима/προς/παραλήπτης/kime/alıcı/收件人"
    "/收件者/至/宛先/送信先/受信者/받는 사람"
    "/받는사람/수신자/수신인/đến/tới/người nhận/ถึง/إلى/الى/به/گیرنده/אל/kepada/ke/untuk/kam/gavėjas/kam/saņēmējs/nori/për"
    "/प्रति/को/প্রাপক/каму/кімге"
    "/para kay/kwa/at/chuig/za/mottaker/modtager/mottagare/destinatari/empfänger/prejemnik/an/recipient/sent to"
    "/adresat/addressee/adressaat/iki/per a/ტო/odběratel/příjemce/odbiorca",
    Field.SUBJECT: "subject/re/betreff/betr/objet/sujet/asunto/assunto/oggetto/onderwerp/temat/předmět/predmet/emne/ämne"
    "/aihe/teema/pealkiri/tárgy"
    "/subiect/subiectul/тема/относно/предмет/наслов/θέμα/konu/主题/主旨/主題/标题/標題/件名/タイトル/제목/chủ đề/tiêu đề"
    "/เรื่อง/หัวเรื่อง/الموضوع/موضوع/נושא/perihal"
    "/subjek/subyek/judul/tema/temats/tēma/efni/gaia/assumpte/subjekt/विषय/বিষয়/тақырыбы/тэма/paksa/mada/pwnc/ábhar/lënda"
    "/zadeva/asunt/ემა/თემა/թեմա/subjekti/ogg/rubrik",
    Field.CC: "cc/c.c./kopie/copie/copie à/copia/copia a/con copia/com cópia/cópia/ccn/cópia para/dw/kopia/kopi/kopio/kópia"
    "/másolat/másolatot kap/копия"
    "/копія/копие/κοιν/κοινοποίηση/bilgi/抄送/副本/참조/đồng kính gửi/สำเนา/نسخة/רونوشت/עותק/tembusan/salinan/koopia/kopija"
    "/kopsavilkums"
    "/afrit/bcc/copie carbone/cc'ed/v kopii/ke/kopie an/copia conforme/dk/kópie/i kopi/kk/per conoscenza/p.c./sc/ub/同报"
    "/抄送至/抄送人/密送/参照",
    Field.OTHER: "reply-to/reply to/antwort an/antwort-an/répondre à/responder a/rispondi a/risposta/responder para"
    "/antwoorden aan/odpovědět/odpověď na"
    "/odpowiedź do/svar til/svara till/vastausosoite/válaszcím/ответить/yanıt adresi/回复/回覆給/返信先/importance"
    "/wichtigkeit/importanza/priorität"
    "/priority/priorité/importancia/importância/prioriteit/viktighet/attachments/anlagen/anhänge/pièces jointes"
    "/archivos adjuntos/datos adjuntos/anexos"
    "/allegati/bijlagen/załączniki/přílohy/vedhæftede filer/bifogade filer/liitteet/вложения/ekler/附件/添付ファイル/첨부"
    "/organization/organisation/message-id"
    "/categories/sensitivity/reply address/newsgroups/mailed-by/signed-by/conversation/flag/list-id/on behalf of"
    "/date received/tags/priorytet/ważność/prioridade/prioridad/anhang/allegato/attachment/bilaga"
    "/vedhæftning/vedlegg/bijlage/anexo/adjunto"
    "/pièce jointe/załącznik/příloha/melléklet",
}


def normal(words: str) -> str:
    """A label in the table's form."""
    return " ".join(unicodedata.normalize("NFKC", words).casefold().split())


FIELDS: dict[str, Field] = {}
for _field, _words in _LABELS.items():
    for _word in _words.split("/"):
        FIELDS.setdefault(normal(_word), _field)

# "wrote" in the attributions of programs, or the words that they use instead.
_WROTE = (
    "wrote|writes|said|schrieb|schreibt|geschrieben|schreef|geschreven|écrit|ecrit|escribió|escribio|escribe|escrito"
    "|escreveu|escreve|scritto|scrive|scrisse"
    "|napisał|napisała|napisał\\(a\\)|pisze|napsal|napsala|napsal\\(a\\)|napísal|napísala|napísal\\(a\\)|píše|napisao"
    "|napisala|napisao/la|napisal|je napisal"
    "|skrev|skriver|skreiv|kirjoitti|kirjutas|írta|ezt írta|következőt írta|a scris|scris|написал|написала|написал\\(а\\)"
    "|пишет|написав|написала|написав\\(ла\\)"
    "|пише|написа|έγραψε|γράφει|yazdı|yazdi|şunu yazdı|şunları yazdı|写道|寫道|写到|撰写|書きました|書き込みました|作成"
    "|のメール|작성|썼습니다|님이 씀|đã viết|viết|menulis|เขียน"
    "|כתב|כתבה|כתב/ה|כתב\\.ה|كتب|كتبت|نوشت|नेलिखा|लिखा|ने लिखा|লিখেছেন|rašė|parašė|rakstīja|skrifaði|va escriure|escrigué"
    "|idatzi|shkroi|ka shkruar|escribiu"
    "|scribed|ysgrifennodd|scríobh|geskryf|het geskryf|isinulat|aliandika|напісаў|жазды|գրել է|დაწერა|schreef het volgende"
    "|napisana przez|missatge de|написао|написао/ла|さんは書きました|쓴 글"
)
WROTE = re.compile(
    rf"(?<![^\W\d_])(?:{_WROTE})(?![^\W\d_])|写道|寫道|写到|書きました|のメール|작성|เขียน", re.IGNORECASE
)

# A cheap check before searching for them: the first letters of each.
_FIRST_LETTERS = re.compile(r"[^\s\\|]+")
MAY_HOLD_WROTE = Hints(
    ("|".join(sorted({one[0] for one in map(_FIRST_LETTERS.match, f"{_WROTE}|のメール".split("|")) if one})),)
)

# The beginnings of words that mean "forwarded".
_FORWARDED = (
    "forward|fwd|weitergeleit|doorgestuurd|transféré|transfere|transmis|réexpédié|reenviad|reencaminh|encaminhad|inoltrat"
    "|przekazan|przesłan|přeposl"
    "|předan|preposl|odovzdan|vidarebefordr|vidaresänd|videresend|videreformid|välitet|edelleen|edasta|továbbít|redirecți"
    "|redirecţi|redirecti|пересл|пересыл"
    "|перенаправ|препрат|просле|πρωθη|προωθ|iletil|ileti |yönlendir|转发|轉寄|轉發|转寄|已轉|転送|전달|chuyển tiếp"
    "|diteruskan|dimajukan|ส่งต่อ|הועבר|מועבר|محول|إعادة توجيه"
    "|معاد توجيه|بازارسال|هدایت|proslij|proslje|posredov|persi|pārsūt|áframsen|reenviat|birbidal|përcjell|अग्रेषित|ফরওয়ার্ড"
    "|renvoyé|resent|redirig|přeposíl|przekazyw|переадрес|пересил|שהועבר|المعاد توجيه"
)
# In scripts without blanks between words, a word may begin anywhere.
FORWARDED = re.compile(rf"(?<![^\W\d_])(?:{_FORWARDED})|转发|轉寄|轉發|转寄|転送|전달|ส่งต่อ", re.IGNORECASE)

# The beginnings of words that mean "original" or "message".
_MESSAGE = (
    "origin|urspr|oorspronk|message|messaggio|mensaje|mensagem|nachricht|e-?mail|bericht|besked|melding|meddelande|wiadomo"
    "|zpráv|správ|viesti|alkuper"
    "|üzenet|eredeti|mesaj|ileti|сообщени|повідомлен|письмо|лист|съобщение|порук|μήνυμα|邮件|郵件|原始|メッセージ|메시지"
    "|원본|thư|tin nhắn|pesan|surat|ข้อความ|הודעה"
    "|رسالة|الرسالة|ההודעה|levél|brev|μηνύματ|meddelelse|پیام|poruk|sporočil|laišk|žinut|vēstul|skilaboð|missatge|correo|correio|pôvodn|původn|izvor|prvotn"
    "|algne|kiri|tértil|e-post|posta|bréf"
)
MESSAGE = re.compile(rf"(?<![^\W\d_])(?:{_MESSAGE})|邮件|郵件|原始|メッセージ|메시지|원본|ข้อความ", re.IGNORECASE)

# The prefixes with which programs mark a forward in the subject.
FORWARD_PREFIX = re.compile(
    r"(?:fwd?|fw|wg|tr|rv|enc|i|vs|vb|vl|pd|ilt|reenv|weitergeleitet|doorst|videresend(?:t)?|vidarebefordrat|redir\.?"
    r"|továbbítás|tov|пер|пересл"
    r"|fs|πρθ|προωθ|转发|轉寄|轉發|转寄|転送|전달|إعادة توجيه|הועבר|edasi|pers|pārs|chuyển tiếp|prosl|posr|преп|inoltrato"
    r"|inoltro)"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:：]",
    re.IGNORECASE,
)
REPLY_PREFIX = re.compile(
    r"(?:re|aw|antw|antwort|sv|rif|r|odp|ynt|yan|res|ant|bls|atb|ref|vá|vast|vs re|отв|отг|απ|回复|回覆|答复|答覆|返信|회신"
    r"|رد|השב|trả lời|ตอบ|balas|blg|odg|ats|на|답장|rép|resp|svar|回信)"
    r"\s*(?:\[\d{1,3}\]|\(\d{1,3}\))?\s*[:：]",
    re.IGNORECASE,
)

# The beginnings of words that mean "original" or "reply".
ORIGINAL = re.compile(
    r"(?<![^\W\d_])(?:origin|urspr|oorspronk|oprindelig|opprinnelig|alkuper|eredeti|oryginaln|pôvodn|původn|izvor|prvotn|algne"
    r"|исходн|первонач|оригинал|початков|αρχικ|orijinal|asal|gốc|d['’]origine|upprun|sākotn|pradin)"
    r"|repl(?:y|ied)|antwort|antwoord|répon|respuesta|rispost|odpowied|odpověd|ответ"
    r"|原始|原邮件|回复|回覆|元の|원본|원래|ต้นฉบับ|המקורי|الأصلي|اصلی",
    re.IGNORECASE,
)
