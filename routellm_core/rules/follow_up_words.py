"""Words that add nothing to a turn, and words that refer to an earlier one.

English, German, Spanish and Chinese. A further language is a paragraph in each of the tables.
"""

from __future__ import annotations

import re


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


def _any_of(listed: str) -> re.Pattern[str]:
    return re.compile("|".join(sorted(listed.split(), key=len, reverse=True)))


EMPTY = _words(
    """
    a about again all almost am an and any are as at be been but by can case code could did do
    does doing done don don't else even ever example fine first for from get give go going good
    got great had has have hello hey hi hm hmm hold how i i'd i'm i'll if in into is just keep
    know last let line like lot make makes maybe me mean means mind more my need nice no not now
    of oh ok okay on one or our out part perfect please point problem proceed put really result
    right same second see should show so some something sounds step still sure thank thanks
    that's the there thing things think third to try u up us use very wait want was way we well
    were what what's when where which who why will with won't work working works would wrong
    yeah yep yes you your you're correct better best enough fails failed fail answer start begin
    write said say text check double too idea instead long short quick detail details look looks
    ahead year day half sentence sentences word words list table
    aber alle alles als also am an antwort auch auf aus bei beispiel besser bin bist bitte danke
    dann dass dich dein deine dem den der des die
    dir doch du ein eine einen einmal einer eines er erst
    erste ersten es etwas falsch fehler für funktioniert gar geht genau gibt gut habe haben hast
    hat hier ich ihr im immer in ist ja jetzt kann kannst kein keine klar könntest letzte
    letzten lang los mach mache machen man mehr mein meine meinst mich mir mit mal nach nein
    nicht noch nochmal nun nur ob oder ok okay passt richtig schon schreib schritt sehr sein
    sicher sie sind so sollte stimmt super teil toll über um und uns versuch versuche von vom
    wann warum was weiter welche welcher welches wenn wer weshalb wie wieder wieso will wir wird
    wo zeig zu zum zur zweite zweiten dritte verstehe zeile anders dafür kurz einverstanden leg
    jahr tag hälfte sätzen sätze
    a adelante al algo algún alguna aquí así aún
    bien bueno claro como cómo con continúa correcto creo cuál
    cuando cuándo cuánto de del detalle dime donde dónde e ejemplo el ella en entiendo eres
    error es está están estás esto falla funciona gracias ha haber hacer has hasta hay haz hazlo
    he intenta inténtalo ir la las le lo los mal más me mejor menos mi mucho muy nada ni no nos
    o otra otro para parte paso perdón perfecto pero perfecta por porque prueba punto puede
    puedes que qué quiero quien quién respuesta se sea segundo seguro ser si sí sido sigue sin
    sobre sois son soy su sus tal te tercer tengo tiene tu tú último un una uno unas unos usa va
    vale ver vez y ya yo acuerdo año día frases mitad
    """
)
"""Function words, and what people say about an answer."""

REFERRING = _words(
    """
    it its this that these those them they above previous earlier former latter again instead
    too also another other others same still second third last both add change remove rename fix
    redo rewrite shorten expand simplify shorter longer more less better else continue forgot
    forget missing wrong try
    dies diese diesen dieser dieses davon dafür damit daran darin dazu sie ihn ihm nochmal
    wieder stattdessen auch immer noch anders andere anderen anderes obige vorige letzte letzten
    zweite zweiten dritte beide ändere ändern entferne füge kürze kürzer länger mehr weniger
    einfacher genauer vergessen
    nuevo eso esa ese esos esas esto esta este estas estos ello lo otra otro otros también
    todavía aún anterior último última segundo segunda tercer ambos añade agrega cambia quita
    corrige hazlo conviértelo más menos mejor
    """
)
"""Words that refer to what was said before."""

ARTICLES = _words("das den der die")
"""German words that refer to what was said before, unless a noun follows, which has a capital."""

OPENING = _words("and but or so then now und aber oder dann jetzt y e pero o ahora")
"""Words that refer to what was said before when a turn begins with them."""

ABOUT = (
    "what about ",
    "how about ",
    "what if ",
    "was ist mit ",
    "was wenn ",
    "qué tal ",
    "qué pasa ",
)
"""Beginnings that make a follow-up of a short turn."""

WITH_PRONOUN = re.compile(r"\w{3,}[aeiáéí](?:me|se)?l[oa]s?")
"""Spanish imperatives such as "cámbialo", which refer when a turn begins with them."""

REQUESTS = _words(
    """
    ask build calculate classify compare compute convert count create define derive describe design
    develop draft explain find generate give help how implement list make name please prove
    recommend say show solve spell suggest summarise summarize tell translate what when where which
    who why write
    berechne beschreibe beweise definiere empfiehl entwickle entwirf erkläre erstelle erzähl erzähle
    finde gib hilf implementiere nenne rechne sag sage schreib schreibe vergleiche wandle was welche
    welcher welches wann wer wie wieviel wo zeige zähle übersetze
    calcula compara convierte crea cuenta cuál cuáles cuándo cuánto cuántos cuántas cómo dame
    define demuestra describe dibuja dime diseña dónde encuentra escribe escríbeme explica
    implementa nombra qué quién recomienda recomiéndame resume resuelve traduce
    """
)
"""Words that a question or a task of its own begins with."""

REQUESTS_ZH = _any_of(
    """
    翻译 写 计算 推荐 告诉 解释 介绍 列出 帮 证明 设计 实现 比较 什么
    谁 哪 多少 几 怎么 如何 为什么 是否
    """
)
"""The same as ``REQUESTS`` for Chinese, anywhere in the turn."""

EMPTY_ZH = _any_of(
    """
    好的 好 可以 行 对 不对 是 不是 的 了 吗 呢 吧 啊 请 谢谢 很 再 一次 一遍 一下 一些 一点
    继续 为什么 漏 缩短 一半 改成 压缩 哪一年 年 几句话 怎么 什么 你 我 我们 他 它 这 那 这个
    那个 哪 不 没有 没 有 也 都 还 还是 能 会 要 想 把 给 用 来 去 做 写 改 试 重新 详细 简短
    太长 太短 更 步 第 二 三 成立 确定 真的 说 得 错 错误 报错 一样 完美 说得 换 方法 最后 开始
    接着 懂 看 看懂 明白 清楚 讲 上面 刚才 加上 加 到 如果 这样 那样 表格 测试 版 点 搞笑 个
    """
)
"""The same as ``EMPTY`` for Chinese, which has no spaces."""

REFERRING_ZH = _any_of(
    """
    这 那 它 再 也 还 换 改 上面 刚才 继续 呢 加上 更 最后 第二 第三 一样 如果 接着 重新 一些
    一点 太 漏 缩短 改成 压缩
    """
)
"""The same as ``REFERRING`` for Chinese."""
