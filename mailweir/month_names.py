"""Month names in the languages in which mailers write Date.

Names and abbreviations are those of Unicode's CLDR, in lower case and without dots, with some older ones added. A name with two
meanings (`lis` is October in Croatia and November in Poland) is excluded. Pure. Called by `dates`.
"""

import unicodedata

# One line per language: twelve months with their variants.
_LANGUAGES = (
    # English
    "jan/january feb/february mar/march apr/april may jun/june jul/july aug/august sep/sept/september oct/october"
    " nov/november dec/december",
    # German, with Austria's
    "jan/januar/jän/jänner feb/februar/feber mär/märz/mrz/maerz apr/april mai jun/juni jul/juli aug/august"
    " sep/sept/september okt/oktober nov/november dez/dezember",
    # French
    "janv/jan/janvier févr/fév/fevr/février mars/mar avr/avril mai juin juil/juill/juillet août/aout/aoû"
    " sept/sep/septembre oct/octobre nov/novembre déc/dec/décembre",
    # Spanish
    "ene/enero feb/febrero mar/marzo abr/abril may/mayo jun/junio jul/julio ago/agosto"
    " sept/sep/set/septiembre/setiembre oct/octubre nov/noviembre dic/diciembre",
    # Portuguese
    "jan/janeiro fev/fevereiro mar/março abr/abril mai/maio jun/junho jul/julho ago/agosto set/setembro"
    " out/outubro nov/novembro dez/dezembro",
    # Italian
    "gen/gennaio feb/febbraio mar/marzo apr/aprile mag/maggio giu/giugno lug/luglio ago/agosto set/sett/settembre"
    " ott/ottobre nov/novembre dic/dicembre",
    # Catalan
    "gen/gener febr/feb/febrer març abr/abril maig juny jul/juliol ag/agost set/setembre oct/octubre nov/novembre"
    " des/desembre",
    # Romanian
    "ian/ianuarie feb/februarie mar/martie apr/aprilie mai iun/iunie iul/iulie aug/august sept/sep/septembrie"
    " oct/octombrie nov/noiembrie dec/decembrie",
    # Dutch
    "jan/januari feb/februari mrt/maart apr/april mei jun/juni jul/juli aug/augustus sep/sept/september"
    " okt/oktober nov/november dec/december",
    # Swedish
    "jan/januari feb/febr/februari mar/mars apr/april maj jun/juni jul/juli aug/augusti sep/sept/september"
    " okt/oktober nov/november dec/december",
    # Danish and Norwegian
    "jan/januar feb/februar mar/mars/marts apr/april maj/mai jun/juni jul/juli aug/august sep/sept/september"
    " okt/oktober nov/november dec/des/december/desember",
    # Finnish
    "tammi/tammik/tammikuuta helmi/helmik/helmikuuta maalis/maalisk/maaliskuuta huhti/huhtik/huhtikuuta"
    " touko/toukok/toukokuuta kesä/kesäk/kesäkuuta heinä/heinäk/heinäkuuta elo/elok/elokuuta syys/syysk/syyskuuta"
    " loka/lokak/lokakuuta marras/marrask/marraskuuta joulu/jouluk/joulukuuta",
    # Estonian
    "jaan/jaanuar veebr/veebruar märts apr/aprill mai juuni juuli aug/august sept/september okt/oktoober"
    " nov/november dets/detsember",
    # Hungarian
    "jan/január feb/febr/február már/márc/március ápr/április máj/május jún/június júl/július aug/augusztus"
    " szep/szept/szeptember okt/október nov/november dec/december",
    # Polish
    "sty/styczeń/stycznia lut/luty/lutego mar/marzec/marca kwi/kwiecień/kwietnia maj/maja cze/czerwiec/czerwca"
    " lip/lipiec/lipca sie/sierpień/sierpnia wrz/wrzesień/września paź/październik/października"
    " lis/listopad/listopada gru/grudzień/grudnia",
    # Czech
    "led/leden/ledna úno/únor/února bře/březen/března dub/duben/dubna kvě/květen/května čvn/čer/červen/června"
    " čvc/červenec/července srp/srpen/srpna zář/září říj/říjen/října lis/listopad/listopadu pro/prosinec/prosince",
    # Slovak
    "jan/január/januára feb/február/februára mar/marec/marca apr/apríl/apríla máj/mája jún/júna júl/júla"
    " aug/august/augusta sep/september/septembra okt/október/októbra nov/november/novembra dec/december/decembra",
    # Slovenian
    "jan/januar feb/februar mar/marec apr/april maj jun/junij jul/julij avg/avgust sep/september okt/oktober"
    " nov/november dec/december",
    # Croatian
    "sij/siječanj/siječnja velj/vel/veljača/veljače ožu/ožujak/ožujka tra/travanj/travnja svi/svibanj/svibnja"
    " lip/lipanj/lipnja srp/srpanj/srpnja kol/kolovoz/kolovoza ruj/rujan/rujna lis/listopad/listopada"
    " stu/studeni/studenoga pro/prosinac/prosinca",
    # Turkish
    "oca/ocak şub/şubat mar/mart nis/nisan may/mayıs haz/haziran tem/temmuz ağu/ağustos eyl/eylül eki/ekim"
    " kas/kasım ara/aralık",
    # Indonesian
    "jan/januari feb/februari mar/maret apr/april mei jun/juni jul/juli agu/agt/agustus sep/september okt/oktober"
    " nov/november des/desember",
    # Greek
    "ιαν/ιανουαρίου φεβ/φεβρουαρίου μαρ/μαρτίου απρ/απριλίου μαΐ/μαϊ/μαΐου/μάι ιουν/ιουνίου ιουλ/ιουλίου"
    " αυγ/αυγούστου σεπ/σεπτ/σεπτεμβρίου οκτ/οκτωβρίου νοε/νοεμβρίου δεκ/δεκεμβρίου",
    # Russian
    "янв/января фев/февр/февраля мар/марта апр/апреля май/мая июн/июня июл/июля авг/августа сен/сент/сентября"
    " окт/октября ноя/нояб/ноября дек/декабря",
    # Ukrainian
    "січ/січня лют/лютого бер/березня квіт/кві/квітня трав/тра/травня черв/чер/червня лип/липня серп/сер/серпня"
    " вер/вересня жовт/жов/жовтня лист/лис/листопада груд/гру/грудня",
    # Bulgarian
    "яну/януари фев/февр/февруари мар/март апр/април май юни юли авг/август сеп/септ/септември окт/октомври"
    " ное/ноем/ноември дек/декември",
    # Chinese and Japanese
    "一月/1月/01月 二月/2月/02月 三月/3月/03月 四月/4月/04月"
    " 五月/5月/05月 六月/6月/06月 七月/7月/07月 八月/8月/08月"
    " 九月/9月/09月 十月/10月 十一月/11月 十二月/12月",
    # Korean
    "1월/01월 2월/02월 3월/03월 4월/04월 5월/05월 6월/06월 7월/07월 8월/08월 9월/09월 10월 11월 12월",
)


def _months_by_name() -> dict[str, int]:
    meanings: dict[str, set[int]] = {}
    for line in _LANGUAGES:
        for number, names in enumerate(line.split(), start=1):
            for name in unicodedata.normalize("NFKC", names.casefold()).split("/"):
                meanings.setdefault(name, set()).add(number)
    return {name: next(iter(numbers)) for name, numbers in meanings.items() if len(numbers) == 1}


MONTHS = _months_by_name()  # name, case-folded and then in NFKC, to 1 to 12
