"""Words that bring nothing of their own to a turn, and words that refer to an earlier one.

English, German, Spanish and Chinese. A further language is a line in each of the tables.
"""

from __future__ import annotations

import re

EMPTY = frozenset(
    """
    a about again all almost am an and any are as at be been but by can case code could did do does
    doing done don don't else even ever example fine first for from get give go going good got great
    had has have hello hey hi hm hmm hold how i i'd i'm i'll if in into is just keep know last let
    line like lot make makes maybe me mean means mind more my need nice no not now of oh ok okay on
    one or our out part perfect please point problem proceed put really result right same second see
    should show so some something sounds step still sure thank thanks that's the there thing things
    think third to try u up us use very wait want was way we well were what what's when where which
    who why will with won't work working works would wrong yeah yep yes you your you're correct
    better best enough fails failed fail case answer start begin start write said say text check
    double too idea instead long short quick detail details look looks ahead year day
    half sentence sentences word words list table
    aber alle alles als also am an antwort auch auf aus bei beispiel besser bin bist bitte danke
    dann dass dein deine dem den der des die dir doch du ein eine einen einer eines er erst erste
    ersten es etwas falsch fehler für funktioniert gar geht genau gibt gut habe haben hast hat hier
    ich ihr im immer in ist ja jetzt kann kannst kein keine klar könntest letzte letzten lang los
    mach mache machen man mehr mein meine meinst mich mir mit mal nach nein nicht noch nochmal nun
    nur ob oder ok okay passt richtig schon schreib schritt sehr sein sicher sie sind so sollte
    stimmt super teil toll über um und uns versuch versuche von vom wann warum was weiter welche
    welcher welches wenn wer weshalb wie wieder wieso will wir wird wo zeig zu zum zur zweite zweiten
    dritte verstehe zeile anders dafür lang kurz einverstanden leg jahr tag hälfte sätzen sätze
    a adelante al algo aquí así aún bien bueno claro como cómo con continúa correcto creo cuál cuando
    cuándo cuánto de del detalle dime donde dónde e ejemplo el ella en entiendo eres error es está
    están estás esto falla funciona gracias ha haber hacer has hasta hay haz hazlo he intenta
    inténtalo ir la las le lo los mal más me mejor menos mi mucho muy nada ni no nos o otra otro para
    parte paso perdón perfecto pero perfecta por porque prueba punto puede puedes que qué quiero quien
    quién respuesta se sea segundo seguro ser si sí sido sigue sin sobre sois son soy su sus tal te
    tercer tengo tiene tu tú último un una uno unas unos usa va vale ver vez y ya yo acuerdo año día frases mitad
    """.split()
)
"""Function words, and what people say about an answer."""

REFERRING = frozenset(
    """
    it its this that these those them they above previous earlier former latter again instead too
    also another other others same still second third last both add change remove rename fix redo
    rewrite shorten expand simplify shorter longer more less better else continue forgot forget
    missing wrong try
    dies diese diesen dieser dieses davon dafür damit daran darin dazu sie ihn ihm nochmal
    wieder stattdessen auch immer noch anders andere anderen anderes obige vorige letzte letzten
    zweite zweiten dritte beide ändere ändern entferne füge kürze kürzer länger mehr weniger
    einfacher genauer vergessen
    nuevo eso esa ese esos esas esto esta este estas estos ello lo otra otro otros también
    todavía aún anterior último última segundo segunda tercer ambos añade agrega cambia quita
    corrige hazlo conviértelo más menos mejor
    """.split()
)
"""Words that refer to what was said before."""

ARTICLES = frozenset("das den der die".split())
"""German words that refer to what was said before, unless a noun follows, which has a capital."""

OPENING = frozenset("and but or so then now und aber oder dann jetzt y e pero o ahora".split())
"""Words that refer to what was said before when a turn begins with them."""

_EMPTY_ZH = (
    "好的 好 可以 行 对 不对 是 不是 的 了 吗 呢 吧 啊 请 谢谢 很 再 一次 一遍 一下 一些 一点 继续 为什么 "
    "漏 缩短 一半 改成 压缩 哪一年 年 几句话 怎么 什么 你 我 我们 他 它 这 那 这个 那个 哪 不 没有 没 有 也 都 还 还是 能 会 要 想 把 给 用 来 "
    "去 做 写 改 试 重新 详细 简短 太长 太短 更 步 第 二 三 成立 确定 真的 说 得 错 错误 报错 一样 "
    "完美 说得 换 方法 最后 开始 接着 懂 看 看懂 明白 清楚 讲 上面 刚才 加上 加 到 如果 "
    "这样 那样 表格 测试 版 点 搞笑 个"
).split()
_REFERRING_ZH = (
    "这 那 它 再 也 还 换 改 上面 刚才 继续 呢 加上 更 最后 第二 第三 一样 如果 接着 重新 一些 一点 "
    "太 漏 缩短 改成 压缩"
).split()
EMPTY_ZH = re.compile("|".join(sorted(_EMPTY_ZH, key=len, reverse=True)))
"""The same as ``EMPTY`` for Chinese, which has no spaces."""
REFERRING_ZH = re.compile("|".join(sorted(_REFERRING_ZH, key=len, reverse=True)))
"""The same as ``REFERRING``."""

ABOUT = (
    "what about ",
    "how about ",
    "what if ",
    "was ist mit ",
    "was wenn ",
    "qué tal ",
    "qué pasa ",
)
"""Beginnings that make a follow-up of whatever comes after them."""

WITH_PRONOUN = re.compile(r"\w{3,}[aeiáéí](?:me|se)?l[oa]s?")
"""Spanish imperatives such as "cámbialo", which refer when a turn begins with them."""
