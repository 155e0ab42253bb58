"""Function words by language: what running text of a language cannot do without.

English is Gopher's own list (Rae et al. 2021, arXiv 2112.11446, A.1.1). The others are the most
frequent function words of each language, in the spelling of running text. Chinese and Japanese
entries are single characters, and those of Thai, Lao, Khmer and Burmese two to four code points,
because these scripts are matched by character (see `etl.filter.characters`). A Korean particle also
counts as the last syllable of a word.
"""

from __future__ import annotations

import functools

ENGLISH = "eng"

_WORDS = {
    "eng": "the be to of and that have with",
    "cmn": "的 是 在 了 和 不 有 我 这 這 人 他 也 为 為 就 中 与 與 对 對 到 以 及 或 等",
    "yue": "嘅 係 喺 咗 唔 我 佢 有 個 啲 同 嚟 會 到 要 的 是 在 不 人",
    "wuu": "个 是 勿 我 伊 辣 阿 有 人 搭 的 在 了 不 一",
    "jpn": "の に は を た が で と し れ さ も な い る",
    "kor": "은 는 이 가 을 를 에 의 로 고 다 도 그 수 것 및 등",
    "tha": "ที่ และ ใน ของ การ เป็น ได้ มี ให้ จะ ไม่ จาก กับ โดย ว่า",
    "lao": "ແລະ ໃນ ຂອງ ທີ່ ເປັນ ໄດ້ ມີ ໃຫ້ ຈະ ບໍ່ ການ ຈາກ",
    "khm": "និង ជា ការ មាន ដែល នៃ ពី បាន នេះ នៅ ក្នុង",
    "mya": "သည် ကို မှ တွင် များ ၏ နှင့် မှာ ဖြစ် ခဲ့ ပြီး",
    "spa": "de la que el en y a los se del las un por con una para es no lo",
    "fra": "de la le et les des en un du une que est pour qui dans par sur ne pas au",
    "deu": "der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als",
    "ita": "di e il la che in un per del è della non una con si i le dei da al",
    "por": "de a o que e do da em um para com não uma os no se na por mais as",
    "nld": "de van het een en in is dat op te zijn voor met die niet aan er om ook als",
    "pol": "w i z na do się nie to że jest o od po jak przez dla za oraz był a",
    "ces": "a v se na je že s z do o k i to za jako by po ve pro ale",
    "slk": "a v sa na je že s z do o k i to za ako by po vo pre ale",
    "rus": "и в не на что с по как это к но из у за от для о же так а",
    "ukr": "і в на не що з до та як у за це від для о але про й а він",
    "bul": "и на в да се за от с не е са по че като до при или най му",
    "srp": "и у је да се на за од са не су као до који а i u je da se na za od sa su",
    "hrv": "i u je da se na za od su s ne kao do koji a iz što te bi o",
    "slv": "in je v na za se da ne so z s pa ki po kot o tudi od do iz",
    "tur": "ve bir bu için da de ile olarak çok daha en gibi olan ne kadar sonra var o ancak",
    "vie": "và của là có trong được cho một các với không những này để khi đã",
    "ind": "yang dan di dari untuk dengan pada ini dalam adalah tidak itu ke akan oleh",
    "zsm": "yang dan di dari untuk dengan pada ini dalam adalah tidak itu ke akan oleh",
    "tgl": "ang ng sa na at mga ay ni si ito para kung may hindi nang kay",
    "swh": "na ya wa kwa katika ni za la cha kuwa hii yake hiyo au pia kama",
    "arb": "في من على أن إلى عن مع هذا هذه التي الذي و لا كان ما أو ذلك",
    "pes": "و در به از که این را با است برای آن یک می بر تا هم نیز",
    "heb": "של את על לא זה עם הוא היא כי גם או אל אם יש כל בין",
    "hin": "के है में की और से का को पर यह ने एक कि भी नहीं हैं लिए",
    "ben": "এবং এই করে থেকে তার ও জন্য একটি না হয় যে এর সঙ্গে কিন্তু",
    "tam": "ஒரு மற்றும் இந்த என்று என அந்த இது அது உள்ள வரும் போது ஆனால்",
    "tel": "ఒక ఈ మరియు ఆ అని కూడా నుండి ఉంది వారు కానీ లో తన",
    "ell": "και το του η της να για με από την που είναι στο τα σε οι θα τον",
    "ron": "și în de la a care cu pe nu o din un să pentru este mai sunt că",
    "hun": "a az és hogy nem is egy ez meg de volt csak mint már vagy el ha",
    "fin": "ja on ei se että oli hän ovat mutta joka kun tai niin myös sen kuin",
    "swe": "och i att det som en på är av för med den till inte om ett har de",
    "dan": "og i at det en den til er som på de med for af ikke der et har",
    "nob": "og i det er en som på til av for å at med den har ikke et de om",
    "cat": "de la i el que a en les del un per els una amb és no al es",
    "eus": "eta da ez bat dira zen dute izan ere du baina hau egin",
    "kat": "და არის რომ ეს არ იყო მისი ამ რომელიც მაგრამ",
    "hye": "և է որ են մեջ էր այս ու նա չի համար",
    "urd": "کے میں کی ہے اور سے کا کو پر یہ اس نے کہ بھی نہیں",
}  # fmt: skip

# An identifier may name a macrolanguage, or a close variety without a list of its own.
_ALIASES = {
    "zho": "cmn", "msa": "zsm", "ara": "arb", "fas": "pes", "swa": "swh", "nor": "nob",
    "nno": "nob", "lzh": "cmn", "hak": "cmn", "nan": "cmn", "gan": "cmn", "bos": "hrv",
    "fil": "tgl", "prs": "pes", "glg": "por",
}  # fmt: skip

UNPUNCTUATED = frozenset({"tha", "lao", "bod", "dzo"})
"""Languages that end sentences with a space, or not visibly: punctuation says nothing there."""

MEAN_WORD_LENGTH_MINIMUM = {"vie": 2.0, "bod": 1.5, "dzo": 1.5}
"""Words are written syllable by syllable there, so that Gopher's minimum of 3 would drop prose."""


def base_language(language: str) -> str:
    """`cmn_Hans` -> `cmn`; aliases resolved; "" for none and `und`."""
    code = language.partition("_")[0].lower()
    return "" if code == "und" else _ALIASES.get(code, code)


@functools.cache
def languages() -> tuple[str, ...]:
    """The languages with a list, English first; the position is the bit in the kernel's masks."""
    return (ENGLISH, *sorted(set(_WORDS) - {ENGLISH}))


@functools.cache
def stop_words() -> dict[str, int]:
    """word -> bit mask over `languages()`."""
    masks: dict[str, int] = {}
    for bit, language in enumerate(languages()):
        for word in _WORDS[language].split():
            masks[word] = masks.get(word, 0) | (1 << bit)
    return masks
