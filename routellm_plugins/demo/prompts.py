"""Prompts for the demo: what people ask, from small talk to hard problems."""

from __future__ import annotations

PROMPTS = (
    "What is the capital of Australia?",
    "hi! can you recommend a good name for a kitten?",
    "Translate 'good morning, how did you sleep?' into Spanish.",
    "Fix the spelling: 'Their going too the libary tommorow.'",
    "Write a two-sentence birthday message for my colleague Priya.",
    "Give me three quick dinner ideas with chickpeas.",
    "What year did the Berlin Wall fall?",
    "Summarize in one line: The meeting moved from 2 pm to 3 pm because the client is delayed.",
    "How many ounces are in a pound?",
    "What's a polite way to decline a wedding invitation?",
    "A train leaves at 9:40 and covers 210 km at 84 km/h, with a 12 minute stop on the way. A "
    "second train leaves the same station at 10:05 and runs at 120 km/h without stopping. At what "
    "time does the second overtake the first, and how far from the station are they then?",
    "Prove that for every prime p greater than 3, p^2 - 1 is divisible by 24, and say whether the "
    "converse holds.",
    "Our Postgres query joins orders (80M rows) with customers and filters on "
    "orders.created_at >= now() - interval '7 days' AND customers.region = 'EU'. EXPLAIN shows a "
    "hash join over a sequential scan of orders although there is an index on created_at. List "
    "the likely reasons in order of probability, how to confirm each, and the fix.",
    "Find the bug and explain why it only shows under load:\n```python\nclass Cache:\n    def "
    "__init__(self): self.d = {}\n    async def get(self, k, load):\n        if k not in self.d:\n"
    "            self.d[k] = await load(k)\n        return self.d[k]\n```",
    "A lesion of the left medial longitudinal fasciculus produces which eye movement findings on "
    "attempted right gaze?\nA. Left eye fails to adduct, right eye shows nystagmus\nB. Right eye "
    "fails to abduct, left eye shows nystagmus\nC. Both eyes fail to move to the right\nD. Left "
    "eye fails to abduct on left gaze",
    "Let X and Y be independent exponential variables with rates 2 and 3. Compute E[max(X, Y)] "
    "and P(X < Y), and show each step.",
    "Design a rate limiter for a multi-region API: 10k tenants, limits per second and per day, at "
    "most 5 ms added latency, and no tenant may exceed its daily limit by more than 1 %. Compare "
    "two designs and say which you would ship and why.",
    "A seller delivers goods that fail to conform to the contract; the buyer accepted them before "
    "discovering the defect, which was difficult to detect. Under UCC Article 2, when may the "
    "buyer revoke acceptance, and what must be shown?",
    "Given a 0.10 M solution of a weak acid with Ka = 1.8e-5, compute its pH, then the pH after "
    "adding 0.020 mol of NaOH to 500 mL of it. State every approximation and check it.",
    "Implement an LRU cache with O(1) get and put and a per-entry time to live in Rust, without "
    "unsafe code, and explain how you avoid dangling links.",
)
"""Twenty prompts, the easy half first."""
