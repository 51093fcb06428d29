"""Month names in the headers above forwarded mail, in more languages than `month_names` has, and the words for AM and PM.

If a name has several meanings, the first one counts, beginning with those of `month_names`. Pure. Called by `moments`.
"""

import re
import unicodedata

from mailweir import month_names

# One line per language: twelve months with their variants, without dots.
_LANGUAGES = (
    # Lithuanian
    "sausio/saus vasario/vas kovo balandžio/bal gegužės/geg birželio/birž liepos/liep rugpjūčio/rugp rugsėjo/rugs"
    " spalio/spal lapkričio/lapkr gruodžio/gruod",
    # Latvian
    "janvāris/janv februāris/febr marts aprīlis/apr maijs jūnijs/jūn jūlijs/jūl augusts/aug septembris/sept oktobris/okt"
    " novembris/nov decembris/dec",
    # Icelandic
    "janúar febrúar mars apríl maí júní/jún júlí/júl ágúst/ágú september október nóvember/nóv desember",
    # Serbian
    "јануар/јан фебруар/феб март/мар април/апр мај јун јул август/авг септембар/сеп октобар/окт новембар/нов децембар/дец",
    # Macedonian
    "јануари февруари март април мај јуни јули август септември октомври ноември декември",
    # Belarusian
    "студзеня лютага сакавіка красавіка мая чэрвеня ліпеня жніўня верасня кастрычніка лістапада снежня",
    # Kazakh
    "қаңтар ақпан наурыз сәуір мамыр маусым шілде тамыз қыркүйек қазан қараша желтоқсан",
    # Albanian
    "janar shkurt mars prill maj qershor korrik gusht shtator tetor nëntor dhjetor",
    # Basque
    "urtarrilaren/urt otsailaren/ots martxoaren apirilaren/api maiatzaren ekainaren/eka uztailaren/uzt abuztuaren/abu"
    " irailaren/ira urriaren/urr azaroaren/aza abenduaren/abe",
    # Galician
    "xaneiro/xan febreiro/feb marzo abril/abr maio xuño xullo agosto/ago setembro outubro novembro decembro",
    # Malay
    "januari februari mac april mei jun julai ogos september oktober november disember",
    # Hebrew, with the word for "in" too
    "ינואר/בינואר פברואר/בפברואר מרץ/במרץ אפריל/באפריל מאי/במאי יוני/ביוני יולי/ביולי אוגוסט/באוגוסט ספטמבר/בספטמבר"
    " אוקטובר/באוקטובר נובמבר/בנובמבר דצמבר/בדצמבר",
    # Arabic
    "يناير/جانفي فبراير/فيفري/شباط مارس/آذار أبريل/إبريل/أفريل/نيسان مايو/ماي/أيار يونيو/يونيه/جوان/حزيران"
    " يوليو/يوليه/جويلية/تموز أغسطس/أوت سبتمبر/أيلول أكتوبر نوفمبر ديسمبر",
    # Persian
    "ژانویه فوریه مارس آوریل مه ژوئن ژوئیه اوت سپتامبر اکتبر نوامبر دسامبر",
    # Hindi
    "जनवरी/जन फ़रवरी/फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर/सितम्बर अक्टूबर नवंबर/नवम्बर दिसंबर/दिसम्बर",
    # Georgian
    "იანვარი/იან თებერვალი/თებ მარტი/მარ აპრილი/აპრ მაისი/მაი ივნისი/ივნ ივლისი/ივლ აგვისტო/აგვ სექტემბერი/სექ ოქტომბერი/ოქტ"
    " ნოემბერი/ნოე დეკემბერი/დეკ",
    # Thai
    "มกราคม/มค กุมภาพันธ์/กพ มีนาคม/มีค เมษายน/เมย พฤษภาคม/พค มิถุนายน/มิย กรกฎาคม/กค สิงหาคม/สค กันยายน/กย ตุลาคม/ตค"
    " พฤศจิกายน/พย ธันวาคม/ธค",
)
# `sa` and `ch`, Vietnamese, only count after the clock: `Sa` before it is a German Saturday.
_BEFORE_NOON = '上午|午前|早上|凌晨|清晨|오전|ص|ق\\.ظ|π\\.?μ\\.?|öö|पूर्वाह्न|לפנה["״]צ'
_AFTER_NOON = '下午|午後|晚上|傍晚|中午|오후|م|ب\\.ظ|μ\\.?μ\\.?|ös|अपराह्न|אחה["״]צ'
_CLOCK = r"(?P<clock>(?<![\d:.])\d{1,2}[:.]\d{2}(?:[:.]\d{2})?)(?![\d:])"
_HALF_BEHIND = re.compile(
    rf"{_CLOCK}\s?(?:(?P<am>{_BEFORE_NOON}|sa|pg)|(?P<pm>{_AFTER_NOON}|ch|ptg))(?![^\W\d_])", re.IGNORECASE
)
_HALF_BEFORE = re.compile(rf"(?<![^\W\d_])(?:(?P<am>{_BEFORE_NOON})|(?P<pm>{_AFTER_NOON}))\s?{_CLOCK}", re.IGNORECASE)
# `오전 10시 5분 0초`, `10時05分`
_SPOKEN_CLOCK = re.compile(r"(?<!\d)(\d{1,2}) ?[시時时点點] ?(\d{1,2}) ?[분分](?: ?(\d{1,2}) ?[초秒])?")
_VIETNAMESE = re.compile(
    r"(?<!\d)(\d{1,2}) (?:thg|tháng) (\d{1,2}|mười một|mười hai|\w{2,4})(?:,? năm)?,? (\d{4})(?!\d)", re.IGNORECASE
)
_VIETNAMESE_MONTHS = ["một", "hai", "ba", "tư", "năm", "sáu", "bảy", "tám", "chín", "mười", "mười_một", "mười_hai"]
_THAI = re.compile(r"[\u0e00-\u0e7f]")
_THAI_DOT = re.compile(r"(?<=[\u0e01-\u0e4e])\.(?=[\u0e01-\u0e4e])")
_ERA = re.compile(r"(?<!\d)25\d{2}(?!\d)")  # Buddhist calendar, 543 years ahead of the Gregorian one
_GREENWICH = re.compile("غرينتش|جرينتش")


def _months_by_name() -> dict[str, int]:
    months = dict(month_names.MONTHS)
    for line in _LANGUAGES:
        for number, names in enumerate(line.split(), start=1):
            for name in unicodedata.normalize("NFKC", names.casefold()).split("/"):
                months.setdefault(name, number)
    return months


MONTHS = _months_by_name()  # name, case-folded and then in NFKC, to 1 to 12


def plain(text: str) -> str:
    """A date in NFKC, with European digits, the clock as `10:00 pm`, and years of the Gregorian calendar."""
    told = "".join(_digit(sign) for sign in unicodedata.normalize("NFKC", text))
    told = _GREENWICH.sub("GMT", told)
    told = _SPOKEN_CLOCK.sub(_clock, told)
    if not told.isascii():
        told = _VIETNAMESE.sub(_vietnamese, told)
        if _THAI.search(told):
            told = _ERA.sub(lambda match: str(int(match[0]) - 543), _THAI_DOT.sub("", told))
    return _HALF_BEFORE.sub(_half, _HALF_BEHIND.sub(_half, told))


def _digit(sign: str) -> str:
    return sign if sign.isascii() or not sign.isdecimal() else str(unicodedata.decimal(sign))


def _clock(match: re.Match[str]) -> str:
    return f"{match[1]}:{match[2]:0>2}:{match[3] or '0':0>2}"


def _half(match: re.Match[str]) -> str:
    return f"{match['clock']} {'am' if match['am'] else 'pm'}"


def _vietnamese(match: re.Match[str]) -> str:
    """`3 Tháng Sáu 2024` in numbers."""
    month = match[2].casefold().replace(" ", "_")
    if month in _VIETNAMESE_MONTHS:
        month = str(_VIETNAMESE_MONTHS.index(month) + 1)
    return f"{match[3]}-{month}-{match[1]}" if month.isascii() and month.isdigit() else match[0]
