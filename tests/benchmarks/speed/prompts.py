"""Made-up prompts of a given length, each different, in the mix that chats are made of."""

from __future__ import annotations

import random
from collections.abc import Callable

_SENTENCES = """
Can you recommend a good place to stay in {place} for {number} nights?
Write a short story about a {thing} that belonged to {name}.
What does it mean when a {thing} makes a loud noise in the morning?
{name} bought {number} boxes of {thing}s and gave {number} of them away; how many are left?
I have a list of {number} items and want to remove the ones that appear twice.
Please rewrite the following paragraph so that it sounds more polite.
Here is my function: def total(xs): return sum(x * {number} for x in xs if x > {number})
It raises an error when the list is empty, and I do not know why.
Which of the following statements about the {thing} is true?
Translate "the {thing} is under the table" into French and German.
A train leaves {place} at {number} km/h and another follows an hour later.
Summarise the main arguments in three sentences.
My manager wants a plan for the next quarter that covers hiring, costs and risks.
What were the causes of the war that ended in {year}?
Compare the economies of {place} and {place} since {year}.
She said it wasn't the {thing}'s fault; he didn't agree, though.
Give me {number} ideas for a birthday party with a {thing} theme.
Let f(x) = {number}x^2 - {number}x + {number}; find its roots and the minimum.
Answer with a single letter: (A) {thing} (B) {place} (C) {name} (D) none of these
I feel tired all the time, even after sleeping for {number} hours.
How would you explain gravity to a child who has never seen a {thing}?
The contract says that the tenant must give {number} days of notice before leaving.
Draft an e-mail to {name} asking whether the {thing} has arrived in {place}.
SELECT name, SUM(price) FROM orders WHERE year = {year} GROUP BY name HAVING COUNT(*) > {number};
In which year did {name} move from {place} to {place}, and for what reason?
Who wrote the book about the {thing} and the old lighthouse?
You are a helpful travel guide; suggest a route from {place} to {place} by bicycle.
The patient is a {number}-year-old woman with fever, a dry cough and chest pain for {number} days.
Pretend to be a {thing} and complain about the weather.
Is it safe to keep a {thing} next to a heater?
""".strip().splitlines()

_WORDS = {
    "place": "Lisbon Osaka Nairobi Oslo Lima Toronto Hanoi Perth Krakow Denver Cairo Quito",
    "thing": "violin kettle suitcase lantern tractor compass umbrella piano ladder camera bicycle "
    "telescope sofa notebook battery printer candle anchor basket mirror",
    "name": "Amara Bjorn Chen Dalia Esteban Farah Giulia Haruto Ingrid Jamal Katya Liam",
}


def make_prompts(
    tokens: int, count: int, count_tokens: Callable[[str], int], seed: int = 0
) -> list[str]:
    """Return ``count`` different prompts of about ``tokens`` tokens each.

    Args:
        tokens: length of a prompt; the last sentence may exceed it.
        count: how many.
        count_tokens: says how long a text is.
        seed: other prompts for another.
    """
    rng = random.Random(seed)
    return [_prompt(tokens, count_tokens, rng) for _ in range(count)]


def _prompt(tokens: int, count_tokens: Callable[[str], int], rng: random.Random) -> str:
    text = _sentence(rng)
    while count_tokens(text) < 0.9 * tokens:
        text += rng.choice(["\n", " ", " "]) + _sentence(rng)
    return text


def _sentence(rng: random.Random) -> str:
    words = {kind: rng.choice(choices.split()) for kind, choices in _WORDS.items()}
    return rng.choice(_SENTENCES).format(
        **words, number=rng.randrange(2, 1000), year=rng.randrange(1700, 2030)
    )
