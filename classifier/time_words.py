"""The words for days and months, in the ten languages and French, as people type them, with and without their accents.

Chinese is written with a space between characters, because every character is a word of its own
(`classifier.words`). A Korean word stands without its particles.
"""


def _phrases(text: str) -> tuple[str, ...]:
    return tuple(phrase.strip() for phrase in text.split(","))


DAYS_AHEAD: dict[int, tuple[str, ...]] = {
    0: _phrases(
        "today, tonight, this morning, this afternoon, this evening, right now, now, asap, immediately, hoy, "
        "ahora, ahorita, esta tarde, esta noche, esta mañana, esta manana, 今 天, 今 早, 今 晚, 现 在, 今 日, "
        "马 上, 立 刻, 今 儿, hôm nay, hom nay, sáng nay, chiều nay, trưa nay, tối nay, bây giờ, ngay bây giờ, "
        "اليوم, الآن, الان, الليلة, حالا, فورا, فورًا, النهاردة, hoje, agora, esta noite, jodi a, jodia, "
        "kounye a, kounya, aswè a, maten an, apremidi a, сегодня, сейчас, немедленно, срочно, 오늘, 지금, "
        "당장, 이따, ngayon, ngayong, mamaya, mamayang, kanina, kaninang, aujourd'hui, maintenant"
    ),
    1: _phrases(
        "tomorrow, tmrw, tmr, tomorow, tommorow, tommorrow, first thing, mañana, manana, 明 天, 明 早, 明 日, "
        "明 儿, 明 晚, ngày mai, sáng mai, chiều mai, tối mai, trưa mai, ngay mai, غدا, غدًا, غداً, بكرة, "
        "بكرا, باكر, amanhã, amanha, demen, denmen, завтра, 내일, bukas, bukang, demain"
    ),
    2: _phrases("pasado mañana, 后 天, ngày kia, ngày mốt, بعد غد, depois de amanhã, apre demen, послезавтра, 모레"),
    7: _phrases(
        "next week, la semana que viene, semana que viene, próxima semana, proxima semana, 下 周, 下 星 期, 下 礼 拜, "
        "tuần sau, tuần tới, tuan sau, الأسبوع القادم, الاسبوع القادم, الأسبوع الجاي, الاسبوع الجاي, semana que vem, "
        "semèn pwochèn, pwochèn semèn, следующей неделе, 다음 주, 다음 주에, 다음주, susunod na linggo"
    ),
    30: _phrases(
        "next month, next year, el mes que viene, mes que viene, próximo mes, 下 个 月, 明 年, tháng sau, tháng tới, "
        "الشهر القادم, الشهر الجاي, mês que vem, mwa pwochen, следующем месяце, 다음 달, 다음달, susunod na buwan"
    ),
    -7: _phrases(
        "last week, last month, last year, la semana pasada, semana pasada, el mes pasado, mes pasado, año pasado, "
        "上 周, 上 星 期, 上 个 月, 去 年, tuần trước, tháng trước, năm ngoái, الأسبوع الماضي, الاسبوع الماضي, "
        "الشهر الماضي, semana passada, mês passado, ano passado, semèn pase, mwa pase, ane pase, прошлой неделе, "
        "прошлом месяце, прошлом году, 지난주, 지난 주, 지난달, 작년, nakaraang linggo, noong isang linggo"
    ),
    -1: _phrases(
        "yesterday, last night, ayer, anoche, 昨 天, 昨 晚, hôm qua, tối qua, أمس, امس, البارحة, مبارح, ontem, "
        "yè, yè swa, yèswa, вчера, 어제, 어젯, kahapon, kagabi, hier"
    ),
}
"""Days from the day of writing, 0 for today."""

WEEKDAYS: tuple[tuple[str, ...], ...] = (
    _phrases(
        "monday, mon, lunes, 周 一, 星 期 一, 礼 拜 一, thứ hai, thứ 2, الاثنين, الإثنين, segunda, "
        "segunda feira, lendi, понедельник, понедельника, понедельнику, 월요일"
    ),
    _phrases(
        "tuesday, tue, tues, martes, 周 二, 星 期 二, 礼 拜 二, thứ ba, thứ 3, الثلاثاء, terça, terca, "
        "terça feira, madi, вторник, вторника, вторнику, 화요일"
    ),
    _phrases(
        "wednesday, wed, weds, miércoles, miercoles, 周 三, 星 期 三, 礼 拜 三, thứ tư, thứ 4, الأربعاء, "
        "الاربعاء, quarta, quarta feira, mèkredi, mekredi, среда, среду, среды, среде, 수요일, miyerkules"
    ),
    _phrases(
        "thursday, thu, thur, thurs, jueves, 周 四, 星 期 四, 礼 拜 四, thứ năm, thứ 5, الخميس, quinta, "
        "quinta feira, jedi, четверг, четверга, четвергу, 목요일, huwebes"
    ),
    _phrases(
        "friday, fri, viernes, 周 五, 星 期 五, 礼 拜 五, thứ sáu, thứ 6, الجمعة, sexta, sexta feira, "
        "vandredi, пятница, пятницу, пятницы, пятнице, 금요일, biyernes"
    ),
    _phrases(
        "saturday, sábado, sabado, 周 六, 星 期 六, 礼 拜 六, thứ bảy, thứ 7, السبت, samdi, суббота, "
        "субботу, субботы, 토요일"
    ),
    _phrases(
        "sunday, domingo, 周 日, 星 期 日, 星 期 天, 周 天, 礼 拜 天, chủ nhật, الأحد, الاحد, dimanch, "
        "воскресенье, воскресенья, 일요일, linggo"
    ),
)
"""Monday first."""

MONTHS: tuple[tuple[str, ...], ...] = (
    _phrases("january, jan, enero, janeiro, janvye, января, يناير"),
    _phrases("february, feb, febrero, fevereiro, fevriye, февраля, فبراير, pebrero"),
    _phrases("march, mar, marzo, março, marco, mas, марта, مارس, marso"),
    _phrases("april, apr, abril, avril, апреля, أبريل, ابريل"),
    _phrases("may, mayo, maio, me, мая, مايو"),
    _phrases("june, jun, junio, junho, jen, июня, يونيو, hunyo"),
    _phrases("july, jul, julio, julho, jiyè, июля, يوليو, hulyo"),
    _phrases("august, aug, agosto, out, августа, أغسطس"),
    _phrases("september, sep, sept, septiembre, setembro, septanm, сентября, سبتمبر, setyembre"),
    _phrases("october, oct, octubre, outubro, oktòb, октября, أكتوبر, oktubre"),
    _phrases("november, nov, noviembre, novembro, novanm, ноября, نوفمبر, nobyembre"),
    _phrases("december, dec, diciembre, dezembro, desanm, декабря, ديسمبر, disyembre"),
)
"""January first."""

MORNING_BEFORE = frozenset({"esta", "la", "una"})
"""Words before "mañana" that make it the morning, not tomorrow: esta mañana, por la mañana, una mañana."""

EVERY = frozenset(
    {"every", "each", "cada", "todos", "mỗi", "كل", "toda", "todo", "chak", "каждый", "каждую", "매주", "tuwing"}
)
"""Words before a weekday that make it a habit, not a day."""

LAST = frozenset(
    {
        "last",
        "past",
        "pasado",
        "trước",
        "الماضي",
        "passado",
        "passada",
        "pase",
        "прошлый",
        "прошлую",
        "지난",
        "nakaraang",
    }
)
"""Words beside a weekday that put it into the past."""

NEXT = frozenset(
    {"next", "próximo", "proximo", "tới", "القادم", "pwochen", "следующий", "следующую", "다음", "susunod"}
)
"""Words beside a weekday that put it into the week after, where it would be today or tomorrow otherwise."""
