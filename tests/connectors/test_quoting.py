"""What the sender wrote this time, told from history and signature, in the families' languages and programs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.quoting import newest_text
from tests.mails.samples import letters

OWN = "Ana is sick today."
ATTRIBUTIONS = [
    "On Mon, Mar 9, 2026 at 4:05 PM Ms. Rivera <rivera@maple.example> wrote:",
    "On Mar 9, 2026, at 4:05 PM, Ms. Rivera <rivera@maple.example> wrote:",
    "On 3/9/26 16:05, Ms. Rivera wrote:",
    "On Monday, March 9, 2026 at 04:05:00 PM CDT, Ms. Rivera <rivera@maple.example> wrote:",
    "---- On Mon, 09 Mar 2026 16:05:00 -0500 rivera@maple.example wrote ----",
    "--- On Monday, Mar 9, Ms. Rivera wrote: ---",
    "El lun, 9 mar 2026 a las 16:05, Ms. Rivera (<rivera@maple.example>) escribió:",
    "El 9 mar. 2026, a la(s) 16:05, Ms. Rivera escribió:",
    "Em seg., 9 de mar. de 2026 às 16:05, Ms. Rivera <rivera@maple.example> escreveu:",
    "Le lun. 9 mars 2026 à 16:05, Ms. Rivera <rivera@maple.example> a écrit :",
    "пн, 9 мар. 2026 г. в 16:05, Ms. Rivera <rivera@maple.example>:",
    "9 марта 2026 г., в 16:05, Ms. Rivera написал(а):",
    "Ms. Rivera <rivera@maple.example> 于2026年3月9日周一 16:05写道：",
    "在 2026年3月9日，16:05，Ms. Rivera <rivera@maple.example> 写道：",
    "2026年3月9日 (月) 16:05 Ms. Rivera <rivera@maple.example>:",
    "2026년 3월 9일 (월) 오후 4:05, Ms. Rivera <rivera@maple.example>님이 작성:",
    "Vào Th 2, 9 thg 3, 2026 vào lúc 16:05 Ms. Rivera <rivera@maple.example> đã viết:",
    "في الاثنين، 9 مارس 2026 في 4:05 م تمت كتابة ما يلي بواسطة Ms. Rivera <rivera@maple.example>:",
    "Noong Lun, Mar 9, 2026 nang 4:05 PM, sumulat si Ms. Rivera <rivera@maple.example> ng:",
    "Am Mo., 9. März 2026 um 16:05 Uhr schrieb Ms. Rivera <rivera@maple.example>:",
]


@pytest.mark.parametrize("attribution", ATTRIBUTIONS)
@pytest.mark.parametrize("mark", ["> ", ""])
def test_an_attribution_and_what_follows_it_are_history(attribution: str, mark: str) -> None:
    assert newest_text(f"{OWN}\n\n{attribution}\n\n{mark}Dear families,\n{mark}the bus leaves at nine.\n") == OWN


def test_an_attribution_wrapped_over_lines_is_history() -> None:
    wrapped = (
        "On Mon, Mar 9, 2026 at 4:05 PM Ms. Rivera of the Third Grade\n<rivera@maple.example>\nwrote:\n\n> The bus.\n"
    )
    assert newest_text(f"{OWN}\n\n{wrapped}") == OWN


HEADER_BLOCKS = [
    "From: Ms. Rivera <rivera@maple.example>\nSent: Monday, March 9, 2026 4:05 PM\nTo: Maria\nSubject: Bus",
    "*From:* Ms. Rivera\n*Sent:* Monday, March 9, 2026 4:05 PM\n*To:* Maria\n*Subject:* Bus",
    "De: Ms. Rivera\nEnviado el: lunes, 9 de marzo de 2026 16:05\nPara: Maria\nAsunto: Bus",
    "De: Ms. Rivera\nEnviada em: segunda-feira, 9 de março de 2026 16:05\nPara: Maria\nAssunto: Bus",
    "De : Ms. Rivera\nEnvoyé : lundi 9 mars 2026 16:05\nÀ : Maria\nObjet : Bus",
    "发件人: Ms. Rivera\n发送时间: 2026年3月9日 16:05\n收件人: Maria\n主题: Bus",
    "寄件者： Ms. Rivera\n寄件日期： 2026年3月9日 16:05\n收件者： Maria\n主旨： Bus",
    "Từ: Ms. Rivera\nĐã gửi: 9 Tháng Ba 2026 16:05\nĐến: Maria\nChủ đề: Bus",
    "من: Ms. Rivera\nتاريخ الإرسال: 9 مارس 2026 16:05\nإلى: Maria\nالموضوع: Bus",
    "От: Ms. Rivera\nОтправлено: 9 марта 2026 г. 16:05\nКому: Maria\nТема: Bus",
    "보낸 사람: Ms. Rivera\n보낸 날짜: 2026년 3월 9일 16:05\n받는 사람: Maria\n제목: Bus",
    "Mula kay: Ms. Rivera\nIpinadala: Marso 9, 2026 16:05\nPara kay: Maria\nPaksa: Bus",
    "-----Original Message-----\nFrom: Ms. Rivera",
    "-----Mensaje original-----\nDe: Ms. Rivera",
    "-----Mensagem original-----\nDe: Ms. Rivera",
    "------------------ 原始邮件 ------------------\n发件人: Ms. Rivera",
    "-------- Исходное сообщение --------\nОт: Ms. Rivera",
    "-------- 원본 메시지 --------\n보낸 사람: Ms. Rivera",
    "________________________________\nFrom: Ms. Rivera\nSent: Monday",
]


@pytest.mark.parametrize("block", HEADER_BLOCKS)
def test_a_header_block_and_what_follows_it_are_history(block: str) -> None:
    assert newest_text(f"{OWN}\n\n{block}\n\nThe bus leaves at nine.\n") == OWN


FORWARDS = [
    "---------- Forwarded message ---------\nFrom: Roberto <r@family.example>\nDate: Mon, Mar 9, 2026\nSubject: Ana",
    "Begin forwarded message:\n\nFrom: Roberto <r@family.example>\nSubject: Ana\nDate: March 9, 2026\nTo: Maria",
    "---------- Mensaje reenviado ---------\nDe: Roberto <r@family.example>",
    "---------- Mensagem encaminhada ---------\nDe: Roberto <r@family.example>",
    "---------- 转发的邮件 ----------\n发件人: Roberto",
    "---------- Пересланное сообщение ---------\nОт: Roberto",
    "---------- Tin nhắn chuyển tiếp ----------\nTừ: Roberto",
    "---------- رسالة محولة ----------\nمن: Roberto",
]


@pytest.mark.parametrize("forward", FORWARDS)
def test_a_forward_is_history_under_words_and_the_message_without_them(forward: str) -> None:
    words = "My ex-husband wrote this last night. Please read it before noon."
    assert newest_text(f"{words}\n\n{forward}\n\nI take her at noon.\n") == words
    assert newest_text(f"\n{forward}\n\nI take her at noon.\n") == "I take her at noon."
    assert newest_text(f"FYI, please read!\n\n{forward}\n\nI take her at noon.\n").endswith("I take her at noon.")


SIGNATURES = [
    "Sent from my iPhone", "Sent from my iPad", "Sent from my Galaxy", "Sent from my Samsung Galaxy S24 Ultra",
    "Sent from my T-Mobile 4G LTE Device", "Sent from Yahoo Mail for iPhone", "Sent from AOL on Android",
    "Sent from Outlook for Android", "Get Outlook for iOS<https://aka.example/o0u>", "Sent via the Samsung Galaxy A15",
    "Sent from my phone, excuse typos", "Sent from my Wiko RIDGE FAB 4G", "Sent from Mail for Windows",
    "Enviado desde mi iPhone", "Enviado desde mi Samsung Galaxy", "Enviado do meu iPhone", "Enviado do iPhone",
    "Envoyé de mon iPhone", "发自我的 iPhone", "发自我的iPhone", "從我的 iPhone 傳送", "从我的iPhone发送",
    "Gửi từ iPhone của tôi", "Được gửi từ iPhone", "أُرسلت من iPhone", "مُرسل من iPhone الخاص بي", "Отправлено с iPhone",
    "나의 iPhone에서 보냄", "내 iPhone에서 보냄",
]  # fmt: skip


@pytest.mark.parametrize("signature", SIGNATURES)
def test_a_devices_signature_is_cut_off(signature: str) -> None:
    assert newest_text(f"{OWN}\n\n{signature}\n") == OWN
    assert newest_text(f"{OWN}\n\n{signature}\n\nOn Mar 9, 2026, at 4:05 PM, X <x@y.example> wrote:\n\n> hi\n") == OWN


def test_a_signature_under_two_dashes_is_cut_off_and_a_postscript_is_not() -> None:
    assert newest_text(f"{OWN}\n\n-- \nMaria Lopez\nAccountant\n555-0134\n") == OWN
    assert newest_text(f"{OWN}\n--\nMaria Lopez\n") == OWN
    assert newest_text(f"{OWN}\n-- \nMaria\nP.S. Her inhaler is empty.\n") == f"{OWN}\nP.S. Her inhaler is empty."


@pytest.mark.parametrize(
    "text",
    [
        "On Monday he wrote: I will wait for you behind the gym.\nMy son is afraid.",
        "On Monday he wrote:\nI will wait for you behind the gym.\nMy son is afraid.",
        'On 3/9/2026 at 10:20 Mr. Lee wrote:\n"He never does his work."\nThat is not true.',
        "On 10/3 at 9:15 you wrote:\nshe is fine. She is not fine.",
        "From: the front office I heard that the bus is late.\nIs that so?",
        "From: Monday\nTo: Wednesday\nSubject: none, he is just ill\nThank you",
        "Her temperature was\n> 102 this morning\nso she stays at home.",
        ">:( I am really angry about this",
        ">_< sorry, wrong teacher",
        "He will bring:\n- a lunch\n- a jacket\n* five dollars\n1) the slip",
        "Sent from my phone because the laptop died, please call the nurse about her inhaler",
        "I was sent from my doctor to the school nurse.",
        "Sent from school without her inhaler!!",
        "De: mi parte, gracias. Para: la maestra, flores.",
        "She wrote it down:\n1:15 nurse\n2:00 home",
        "Thanks,\nMaria\n\nShe also has a rash, please look at it.",
        "-- is that two dashes? --\nyes",
        "This message is for Mr. Lee and I would like you to read it to him today.",
        "------\nJuan's medicine is in the blue bag.\n------\nPlease keep it cold.",
        "2026年3月9日他写道：我要打你。\n我儿子很害怕。",
        "From: Ana's father, who asks for a call\nDate: any day this week\n\nThank you",
    ],
)
def test_the_familys_own_words_are_never_cut(text: str) -> None:
    assert newest_text(text) == text.strip()


def test_answers_between_quoted_lines_are_kept() -> None:
    text = "> Does she take the bus?\nNo.\n\n> May she have nuts?\nNEVER\n\n> Thursday?\nYes\n"
    assert newest_text(text) == "No.\n\nNEVER\n\nYes"


def test_an_answer_below_the_quote_is_kept() -> None:
    text = f"On Mon, Mar 9, 2026 at 4:05 PM X <x@y.example> wrote:\n> The bus leaves at nine.\n> Be on time.\n\n{OWN}\n"
    assert newest_text(text) == OWN


@pytest.mark.parametrize(
    "asked",
    [
        "> Could you talk with Silas about gentle hands?",
        "> ¿Alguno de los gemelos necesita apoyo?",
        "> 请问孩子今天怎么没来上学？",
        "> هل تناول الدواء هذا الصباح؟",
    ],
)
def test_a_question_quoted_above_its_answer_is_not_the_familys(asked: str) -> None:
    assert newest_text(f"{asked}\n\n{OWN}") == OWN
    assert newest_text(f"{asked}\n{OWN}") == OWN


@pytest.mark.parametrize("line", ["> 102 since this morning, please call me.", "> he is sick", ">:( not again!"])
def test_a_sign_before_words_that_are_no_sentence_is_the_familys_own(line: str) -> None:
    assert newest_text(f"{line}\n{OWN}") == f"{line}\n{OWN}"


def test_the_overhang_of_a_wrapped_quote_is_no_answer() -> None:
    long = "> Please send five dollars and the signed slip by Thursday at the latest, and\nnot on Friday.\n> Thank you."
    assert newest_text(f"{OWN}\n\n{long}\n") == OWN


def test_a_closing_paragraph_of_small_print_is_cut_off() -> None:
    small_print = "This e-mail and any attachments are intended solely for the addressee and may be confidential."
    assert newest_text(f"{OWN}\n\n{small_print}\n") == OWN
    assert newest_text(small_print) == small_print


def test_a_quote_without_own_words_is_what_there_is() -> None:
    assert newest_text("> The bus leaves at nine.\n> Be there.") == "> The bus leaves at nine.\n> Be there."
    assert newest_text("Sent from my iPhone") == "Sent from my iPhone"
    assert newest_text("  \n\n") == ""


def test_the_corpus_keeps_its_words_and_loses_its_history() -> None:
    history = kept_whole = 0
    for identifier, _, _, body in letters():
        newest = newest_text(body)
        assert newest, identifier
        lines = [line for line in body.split("\n") if line.strip()]
        marked = [line for line in lines if line.startswith(">")]
        # Nothing but marked lines and what begins a history is lost: the first own line is always there.
        own = [line for line in lines if not line.startswith(">")]
        assert own[0].strip() in newest, identifier
        history += bool(marked)
        kept_whole += bool(marked) and newest == body.strip()
    assert history > 300
    assert kept_whole < history / 50


LINES = st.sampled_from(
    [
        *("> quoted", ">", ">>> x", "own words", "", "On Mon, Mar 9, 2026 at 4:05 PM X <x@y.example> wrote:", "-- "),
        *("Sent from my iPhone", "From: X", "Sent: Mar 9", "To: Y", "Subject: Z", "-----Original Message-----"),
        *("---------- Forwarded message ---------", "________________________________", "wrote:", "写道：", "P.S. y"),
        "Confidentiality notice:",
    ]
)


@given(st.lists(LINES | st.text(max_size=30), max_size=20).map("\n".join))
@settings(max_examples=300)
def test_nothing_is_invented_and_something_is_always_left(text: str) -> None:
    newest = newest_text(text)
    assert bool(newest.strip()) == bool(text.strip())
    assert set(newest.split()) <= set(text.split()) | {word.lstrip(">") for word in text.split()}


@pytest.mark.parametrize(
    "unit",
    ["> ", ">", ">\n", "On ", "On 1 Jan 2020 10:00\n", "From: a\n", "From: a\nSent: 1\nTo: b\n", "-", "--\n",
     "-- \nx\n",
     "wrote:", "Sent from my ", "Sent from my iPhone\n", "On 1/1/20 <a@b> ", ":", "a:\n",
     "-----Original Message-----\n",
     "confidential ", "\n", "x\n\n", "\u202e", "写", " "],
)  # fmt: skip
def test_two_hundred_thousand_hostile_characters_are_read_in_one_pass(unit: str) -> None:
    text = (unit * (200_000 // len(unit)))[:200_000]
    assert bool(newest_text(text)) == bool(text.strip())
