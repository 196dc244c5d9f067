"""Run both models and the judge on prompts, several at a time; what was paid for is never lost."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...checkpoints.store import write_whole
from ...decision import Tier
from ...interrupts import noted_interrupts
from ...progress import SILENT, Progress
from .ask import Ask, AskError, Messages, Model, Pace, Purse, Reply, StopError
from .journal import Answer, Journal, Verdict
from .judges import EXACT, Judge
from .own_function import OwnFunction, OwnFunctionError
from .prompts import Prompt

TIERS: tuple[Tier, ...] = ("strong", "weak")

_MOST_IN_A_ROW = 10
"""Calls of one model that fail one after another before it is given up."""

_MOST_UNREADABLE = 20
"""Replies without a verdict, one after another, before the judge is given up: each is paid."""

REFUSED, UNREADABLE = "the judge refused", "the judge's reply has no verdict"

_LOOK_S = 0.1
"""Seconds after which it is looked whether an interrupt came."""

_INTERRUPTED = "interrupted: run it again to continue"
_DROPPED = "interrupted, and the calls in flight dropped: run it again to continue"

_Result = tuple[str, "tuple[float, float] | str | StopError"]
"""A prompt's text, and its label, why it has none, or why the run must end."""


@dataclass
class Done:
    """How a run went."""

    labels: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Qualities of the strong and the weak model's answer, by prompt."""
    failures: Counter[str] = field(default_factory=Counter)
    """Prompts that have no label, by reason. They are tried again by the next run, but for those
    whose verdict could not be read."""
    stopped: str | None = None
    """Why the run ended before all prompts were tried; None if it did not."""
    spent: float = 0.0
    """In dollars, with earlier runs."""


class Labelling:
    """Labels prompts.

    Args:
        models: the strong and the weak one, by tier, and the ``judge``, unless its kind is exact.
        judge: reads verdicts.
        journal: keeps answers and verdicts.
        ask: asks a model.
        purse: says whether more may be spent.
        pace: says when the next call may go.
    """

    def __init__(
        self,
        models: Mapping[str, Model],
        judge: Judge,
        journal: Journal,
        ask: Ask,
        purse: Purse,
        pace: Pace,
    ) -> None:
        self._models = models
        self._judge = judge
        self._journal = journal
        self._asked = ask
        self._purse = purse
        self._pace = pace
        self._stopped = threading.Event()
        self._in_a_row: Counter[str] = Counter()
        self._unreadable = 0
        asker = f" by {models['judge'].name}" if "judge" in models else ""
        self.judge_id = f"{judge.id}{asker}"

    @property
    def journal_path(self) -> Path:
        """Where the answers and the judge's replies are kept."""
        return self._journal.path

    def run(self, prompts: Sequence[Prompt], *, workers: int, progress: Progress = SILENT) -> Done:
        """Label prompts, so many at a time. Ctrl-C or SIGTERM ends it after the calls in flight,
        and a second one at once.
        """
        done = Done()
        waiting = iter(prompts)
        failed: BaseException | None = None
        progress.stage("Labelling")
        try:
            with noted_interrupts() as interrupts:
                running = {self._begun(prompt) for prompt in _first(waiting, workers)}
                interrupted = False
                while running:
                    ended, running = wait(running, _LOOK_S, return_when=FIRST_COMPLETED)
                    if interrupts.came():
                        if interrupted:
                            done.stopped = _DROPPED
                            break
                        interrupted = True
                        done.stopped = done.stopped or _INTERRUPTED  # if nothing else ends it
                        self._stopped.set()
                        progress.message(
                            "interrupted: the calls in flight are awaited, and kept; Ctrl-C again "
                            "drops them, paid or not"
                        )
                    for each in ended:
                        if error := each.exception():
                            failed = failed or error
                            self._stopped.set()
                        else:
                            self._count(each.result(), done)
                        for prompt in [] if self._stopped.is_set() else _first(waiting, 1):
                            running.add(self._begun(prompt))
                    if ended:
                        tried = len(done.labels) + sum(done.failures.values())
                        progress.step(tried, len(prompts), f"${self._purse.spent:.4f}")
        finally:
            self._stopped.set()
        if failed is not None:
            raise failed
        # Those that were finished while an interrupt came are in the journal.
        for prompt in prompts:
            label = self._known(prompt)
            if label is not None:
                done.labels[prompt.text] = label
        done.spent = self._purse.spent
        return done

    def _begun(self, prompt: Prompt) -> Future[_Result]:
        """Label a prompt on a thread that does not keep the process from ending, as those of a pool
        do.
        """
        future: Future[_Result] = Future()

        def label() -> None:
            try:
                future.set_result(self._label(prompt))
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=label, name="routellm-label", daemon=True).start()
        return future

    def _count(self, result: _Result, done: Done) -> None:
        prompt, found = result
        if isinstance(found, StopError):
            done.stopped = done.stopped or str(found)
            self._stopped.set()
        elif isinstance(found, str):
            done.failures[found] += 1
        else:
            done.labels[prompt] = found

    def _label(self, prompt: Prompt) -> _Result:
        try:
            texts = {tier: self._answer(prompt, tier) for tier in TIERS}
            verdicts = {}
            questions = self._judge.questions(prompt, texts["strong"], texts["weak"])
            for order, question in questions.items():
                verdict = self._verdict(prompt, order, question)
                if verdict.value is None:
                    return prompt.text, verdict.why or UNREADABLE
                verdicts[order] = verdict.value
            label = self._judge.qualities(prompt, texts["strong"], texts["weak"], verdicts)
            return prompt.text, label
        except AskError as error:
            return prompt.text, str(error)
        except StopError as error:
            return prompt.text, error

    def _answer(self, prompt: Prompt, tier: Tier) -> str:
        known = self._journal.answers.get((prompt.key, tier))
        if known is not None:
            return known.text
        given = prompt.given.get(tier)
        if given is not None and given.model == self._models[tier].name:
            self._journal.add_answer(prompt.key, tier, Answer(given.text, given.cost), None)
            return given.text
        reply = self._ask(tier, prompt.messages)
        answer = Answer(reply.text, self._models[tier].cost(reply))
        usage = reply.input_tokens, reply.output_tokens
        self._journal.add_answer(prompt.key, tier, answer, usage)
        return answer.text

    def _verdict(self, prompt: Prompt, order: str, question: str) -> Verdict:
        known = self._journal.verdicts[prompt.key, self.judge_id].get(order)
        if known is not None:
            return known
        if isinstance(self._judge, OwnFunction):
            verdict, said, cost = Verdict(self._rated(self._judge, prompt, question)), "", None
            self._journal.add_verdict(prompt.key, self.judge_id, order, verdict, said, cost)
            return verdict
        reply = self._ask("judge", [{"role": "user", "content": question}])
        value = None if reply.refused else self._judge.read(order, reply.text)
        why = None if value is not None else REFUSED if reply.refused else UNREADABLE
        verdict = Verdict(value, why)
        cost = self._models["judge"].cost(reply)
        self._journal.add_verdict(prompt.key, self.judge_id, order, verdict, reply.text, cost)
        self._unreadable = 0 if why is None else self._unreadable + 1
        if self._unreadable >= _MOST_UNREADABLE:
            raise StopError(
                f"judge '{self._models['judge'].name}': {self._unreadable} replies in a row had no "
                f"verdict: read them in {self.journal_path}, and use another --judge-model, or "
                "edit --judge-prompt"
            )
        return verdict

    def _rated(self, judge: OwnFunction, prompt: Prompt, answer: str) -> float:
        try:
            value = judge.quality(prompt, answer)
        except OwnFunctionError as error:
            raise self._failed("judge", f"--judge {judge.name}", str(error), False) from error
        self._in_a_row["judge"] = 0
        return value

    def _ask(self, role: str, messages: Messages) -> Reply:
        """Ask one of the models, once it may be asked."""
        model = self._models[role]
        self._pace.wait(self._stopped)
        if self._stopped.is_set():
            raise StopError("the run ended")
        self._purse.check()
        try:
            reply = self._asked(model, messages)
        except AskError as error:
            who = f"{role} model '{model.name}'" if role in TIERS else f"judge '{model.name}'"
            raise self._failed(role, who, str(error), error.hopeless) from error
        self._in_a_row[role] = 0
        self._purse.pay(model.cost(reply))
        return reply

    def _failed(self, role: str, who: str, why: str, hopeless: bool) -> AskError | StopError:
        """Count a failure; returns what to raise: whether one prompt or the run ends."""
        self._in_a_row[role] += 1
        if not hopeless and self._in_a_row[role] < _MOST_IN_A_ROW:
            return AskError(f"{who}: {why}")
        times = "" if hopeless else f"{self._in_a_row[role]} calls in a row failed, "
        return StopError(f"{who}: {times}{why}: fix that and run it again to continue")

    def _known(self, prompt: Prompt) -> tuple[float, float] | None:
        """Return the label that the journal gives."""
        answers = [self._journal.answers.get((prompt.key, tier)) for tier in TIERS]
        if answers[0] is None or answers[1] is None:
            return None
        strong, weak = answers[0].text, answers[1].text
        verdicts = {}
        own = self._journal.verdicts.get((prompt.key, self.judge_id), {})
        for order in self._judge.questions(prompt, strong, weak):
            verdict = own.get(order)
            if verdict is None or verdict.value is None:
                return None
            verdicts[order] = verdict.value
        return self._judge.qualities(prompt, strong, weak, verdicts)

    def verdicts(self, prompts: Sequence[Prompt]) -> list[dict[str, float]]:
        """Return the verdicts, by order, of the prompts that have a label."""
        found = []
        for prompt in prompts:
            if self._judge.kind != EXACT and self._known(prompt) is not None:
                own = self._journal.verdicts[prompt.key, self.judge_id]
                found.append({o: v.value for o, v in own.items() if v.value is not None})
        return found

    def write(self, path: Path, prompts: Sequence[Prompt], done: Done) -> int:
        """Write the labels, in the order of the prompts, as `adapt`, `train` and `evaluate` read
        them.

        Returns:
            Of how many answers the cost is not known. If there are any, the labels have no costs.
        """
        labelled = [prompt for prompt in prompts if prompt.text in done.labels]
        # Readers take costs in every row or in none.
        costs = [self._journal.answers[p.key, tier].cost for p in labelled for tier in TIERS]
        unknown = sum(cost is None for cost in costs)
        priced = not unknown
        rows = (self._row(prompt, done.labels[prompt.text], priced) for prompt in labelled)
        write_whole(path, "".join(f"{json.dumps(row)}\n" for row in rows).encode())
        return unknown

    def _row(self, prompt: Prompt, qualities: tuple[float, float], priced: bool) -> dict[str, Any]:
        strong, weak = qualities
        names = [self._models[tier].name for tier in TIERS]
        row: dict[str, Any] = {
            "prompt": prompt.text,
            "task": "traffic",
            "strong": strong,
            "weak": weak,
            "correct": dict(zip(names, qualities, strict=True)),
            "judge": self.judge_id,
        }
        if priced:
            for tier in TIERS:
                row[f"{tier}_cost"] = self._journal.answers[prompt.key, tier].cost
        if prompt.request_id is not None:
            row["request_id"] = prompt.request_id
        return row


def _first(prompts: Iterator[Prompt], n: int) -> list[Prompt]:
    return [prompt for _, prompt in zip(range(n), prompts, strict=False)]
