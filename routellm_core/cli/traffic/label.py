"""`routellm label`: both models answer prompts, a judge says how well."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...data.writable import check_file
from ...errors import ConfigError, DataError, MissingExtraError
from ..shared.progress import messages, shown_progress

if TYPE_CHECKING:
    from ...data.logs.calls import Skipped
    from ...rules.prices import Price
    from ...traffic.label.ask import Model
    from ...traffic.label.prompts import Prompt
    from ...traffic.label.run import Done, Labelling

Price_ = Annotated[
    str | None,
    typer.Option(
        metavar="IN,OUT",
        help="Dollars for a million tokens read and written. Left out: LiteLLM's price.",
    ),
]

_BIASED = 0.3
"""Share of prompts on which a judge changes its mind with the order, from which it is said."""


def label(
    prompts: Annotated[
        Path | None,
        typer.Option(
            help="What to label: JSON lines, CSV or parquet with 'prompt' or 'messages', or logs "
            "as `routellm calibrate` reads them; 'answer' for --judge exact.",
            dir_okay=False,
        ),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for the labels. A journal of answers and verdicts beside it, "
            "OUT.journal.jsonl, lets an interrupted run continue.",
            dir_okay=False,
        ),
    ] = None,
    strong_model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL[@URL]",
            help="The strong model, as its server calls it; @URL names a server that needs no key.",
        ),
    ] = None,
    weak_model: Annotated[
        str | None, typer.Option(metavar="MODEL[@URL]", help="The weak model, in the same way.")
    ] = None,
    judge: Annotated[
        str,
        typer.Option(
            metavar="pairwise|graded|exact|MODULE:FUNCTION",
            help="pairwise: which answer is better, in both orders. graded: how good the weak "
            "model's is beside the strong model's, 1 to 5. exact: the file's 'answer'. Or a "
            "function of your own, such as my_judge.py:quality, which is called with an answer "
            "and the file's row, and returns 0 to 1.",
        ),
    ] = "pairwise",
    judge_model: Annotated[
        str | None, typer.Option(metavar="MODEL[@URL]", help="The model that judges: a third one.")
    ] = None,
    judge_prompt: Annotated[
        Path | None,
        typer.Option(help="The judge's prompt, in place of the built-in one.", dir_okay=False),
    ] = None,
    print_judge_prompt: Annotated[
        bool,
        typer.Option(
            "--print-judge-prompt", help="Print the built-in prompt, to edit it, and exit."
        ),
    ] = False,
    base_url: Annotated[
        str | None,
        typer.Option(help="The server, ending in /v1. Left out: OPENAI_BASE_URL, or OpenAI."),
    ] = None,
    api_key_env: Annotated[
        str | None, typer.Option(help="Environment variable that holds the key for --base-url.")
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Number of prompts to label, spread over all kinds of prompts. No measured gain "
            "over as many at random. By default all are labelled.",
        ),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(min=0.0, help="Dollars after which no further call is made."),
    ] = None,
    strong_price: Price_ = None,
    weak_price: Price_ = None,
    judge_price: Price_ = None,
    check: Annotated[
        Path | None,
        typer.Option(
            help="Labels by people, to measure the judge's agreement with them.", dir_okay=False
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Prompts in progress at a time.")] = 8,
    requests_per_minute: Annotated[
        float | None, typer.Option(min=0.1, help="Maximum calls per minute.")
    ] = None,
    max_tokens: Annotated[
        int | None, typer.Option(min=1, help="Maximum tokens of an answer or a verdict.")
    ] = None,
    timeout: Annotated[
        float, typer.Option(min=0.1, help="Time limit of a call, in seconds.")
    ] = 120.0,
    retries: Annotated[int, typer.Option(min=0, help="Retries of a failed call.")] = 2,
) -> None:
    """Label prompts with both models and a judge, for `routellm adapt`, `train` and `evaluate`.

    Started again with the same --out, it continues where it stopped. The exit code is 1 if some
    prompts could not be labelled.
    """
    from ...data.logs.calls import Skipped
    from ...traffic.label.ask import Asker, Pace, Purse
    from ...traffic.label.journal import opened
    from ...traffic.label.judges import EXACT, GRADED, PAIRWISE, make_judge, template_text
    from ...traffic.label.prompts import FOLLOW_UP
    from ...traffic.label.run import Labelling

    judging = make_judge(judge, judge_prompt)
    if print_judge_prompt:
        if judge not in (PAIRWISE, GRADED):
            raise ConfigError(f"--judge {judge} asks no model, so it has no prompt")
        typer.echo(template_text(judge), nl=False)
        return
    given = {"prompts": prompts, "out": out, "strong-model": strong_model, "weak-model": weak_model}
    missing = [name for name, value in given.items() if value is None]
    if missing:
        raise ConfigError(f"--{missing[0]} is missing: see `routellm label --help`")
    assert prompts is not None and out is not None  # noqa: PT018
    assert strong_model is not None and weak_model is not None  # noqa: PT018
    named = {"strong": strong_model, "weak": weak_model}
    if judge in (PAIRWISE, GRADED):
        if judge_model is None:
            raise ConfigError(f"--judge {judge} needs --judge-model: name a model that judges")
        named["judge"] = judge_model
    given_prices = {"strong": strong_price, "weak": weak_price, "judge": judge_price}
    models = {
        role: _model(role, name, base_url, api_key_env, given_prices[role], max_cost is not None)
        for role, name in named.items()
    }
    if models["strong"].name == models["weak"].name:
        raise ConfigError("--strong-model and --weak-model have the same name: name two models")
    journal_path = out.with_name(f"{out.name}.journal.jsonl")
    if out.exists() and not journal_path.exists():
        raise ConfigError(f"--out {out} exists and has no {journal_path.name}: name a new file")
    check_file(out)
    people = _people(check, models) if check else {}
    skipped = Skipped()
    todo = _prompts(prompts, budget, judge == EXACT, people, check, skipped)
    asker = Asker(timeout_s=timeout, retries=retries, max_tokens=max_tokens)
    for role in _asked(models, todo):
        asker.prepare(models[role])
    settings = {
        "strong": models["strong"].name,
        "weak": models["weak"].name,
        "max_tokens": max_tokens,
    }
    with opened(journal_path, settings) as journal:
        run = Labelling(
            models,
            judging,
            journal,
            asker.ask,
            Purse(max_cost, journal.spent),
            Pace(requests_per_minute),
        )
        with shown_progress(messages()) as progress:
            done = run.run(todo, workers=workers, progress=progress)
        unknown = run.write(out, todo, done)
    _tell(
        *(run, done, todo, out, people),
        priced=all(model.price for model in models.values()),
        follow_ups=skipped.of(FOLLOW_UP),
    )
    answers = 2 * len(done.labels)
    if 0 < unknown < answers:
        typer.secho(
            f"the labels have no costs, since {unknown:,} of {answers:,} answers have none, such "
            "as streams without usage: tell `routellm adapt` what a query costs, with "
            "--strong-price and --weak-price",
            err=True,
            fg="yellow",
        )
    if done.stopped or len(done.labels) < len(todo):
        raise typer.Exit(1)


def _model(
    role: str,
    written: str,
    base_url: str | None,
    api_key_env: str | None,
    price: str | None,
    needs_price: bool,
) -> Model:
    from ...openai_client import Server
    from ...rules.prices import price_of, price_of_model
    from ...traffic.label.ask import Model

    name, at, url = written.partition("@http")
    if not name.strip():
        raise ConfigError(f"--{role}-model is '{written}': write MODEL or MODEL@http://...")
    server = Server.of(f"http{url}") if at else Server.of(base_url, api_key_env)
    found: Price | None = None
    if price is not None:
        found = price_of(price)
    else:
        try:
            found = price_of_model(name)
        except (ConfigError, MissingExtraError):
            if needs_price:
                raise ConfigError(
                    f"--max-cost needs the price of '{name}': give --{role}-price, in dollars for "
                    "a million tokens read and written, such as 2.5,10"
                ) from None
    return Model(name, server, found)


def _asked(models: dict[str, Model], todo: list[Prompt]) -> list[str]:
    """Return the roles that are to be asked, and say whose answers the file has."""
    asked = ["judge"] if "judge" in models else []
    for tier in ("strong", "weak"):
        given = [prompt.given[tier] for prompt in todo if tier in prompt.given]
        usable = sum(each.model == models[tier].name for each in given)
        others = sorted({each.model for each in given} - {models[tier].name})
        if usable < len(todo):
            asked.append(tier)
        if usable:
            typer.secho(f"{usable:,} answers of '{models[tier].name}' are in the file", err=True)
        if others:
            typer.secho(
                f"the file has {tier} answers of '{others[0]}', and --{tier}-model is "
                f"'{models[tier].name}', which is asked for its own (`routellm store export "
                "--route` leaves out those of other routes)",
                err=True,
                fg="yellow",
            )
    return asked


def _people(check: Path, models: dict[str, Model]) -> dict[str, tuple[float, float]]:
    from ...data.labelled import read_labelled
    from ...data.logs.calls import Skipped
    from ...traffic.adapt.labels import Labels

    names = models["strong"].name, models["weak"].name
    found = Labels.of(read_labelled(check, names, Skipped()))
    qualities = zip(found.strong.tolist(), found.weak.tolist(), strict=True)
    return dict(zip(found.prompts, qualities, strict=True))


def _prompts(
    path: Path,
    budget: int | None,
    needs_answer: bool,
    people: dict[str, tuple[float, float]],
    check: Path | None,
    skipped: Skipped,
) -> list[Prompt]:
    """Return the prompts to label: those that people labelled first, then those chosen."""
    import numpy as np

    from ...registry.loading import load_encoder, load_router
    from ...traffic.label.choose import choose
    from ...traffic.label.prompts import read_prompts

    found = read_prompts(path, skipped)
    for line in skipped.lines():
        typer.secho(line, err=True, fg="yellow")
    without = next((prompt for prompt in found if prompt.answer is None), None)
    if needs_answer and without is not None:
        raise DataError(
            f"{path}: a prompt has no 'answer', which --judge exact compares with: add it, or "
            "use another judge"
        )
    if check and not any(prompt.text in people for prompt in found):
        raise DataError(f"--check {check} and {path} have no prompt in common")
    if budget is None or budget >= len(found):
        return found
    first = [prompt for prompt in found if prompt.text in people][:budget]
    rest = [prompt for prompt in found if prompt.text not in people]
    texts = [prompt.text for prompt in rest]
    if budget == len(first):
        return first
    vectors = load_encoder("static").encode(texts).astype(np.float64)
    picked = choose(texts, budget - len(first), vectors, load_router("mf").score(texts))
    return first + [rest[at] for at in picked]


def _tell(
    run: Labelling,
    done: Done,
    todo: list[Prompt],
    out: Path,
    people: dict[str, tuple[float, float]],
    *,
    priced: bool,
    follow_ups: int,
) -> None:
    from ...evaluation.reporting.wording import estimated, percent
    from ...traffic.label.agreement import agreement
    from ...traffic.label.judges import WEAK_FIRST
    from ...traffic.label.position import position_bias
    from ...traffic.label.run import UNREADABLE

    cost = f", ${done.spent:.4f} spent in all" if priced else ", cost unknown (no prices)"
    typer.echo(f"{len(done.labels):,} of {len(todo):,} prompts labelled{cost}: {out}")
    if follow_ups:
        typer.echo(
            f"{follow_ups:,} follow-ups are left out: what these labels say is of first turns alone"
        )
    both = [each for each in run.verdicts(todo) if WEAK_FIRST in each]
    bias = position_bias(both)
    if bias.decided:
        first, flipped = bias.first, bias.flipped / bias.prompts
        typer.echo(
            f"position: {percent(first.value)} % [{percent(first.low)}, {percent(first.high)}] of "
            f"{bias.decided:,} decided verdicts are for the answer shown first (50 % is unbiased); "
            f"on {percent(flipped)} % of {bias.prompts:,} prompts the order decides"
        )
        if flipped > _BIASED:
            typer.secho(
                "the judge goes by the order of the answers more than by what they say: use "
                "another --judge-model, edit --judge-prompt, or use --judge graded",
                err=True,
                fg="yellow",
            )
    if people:
        common = {prompt: done.labels[prompt] for prompt in people if prompt in done.labels}
        if common:
            found = agreement(common, people)
            typer.echo(
                f"agreement with people on {found.n:,} prompts: {percent(found.same)} %, Cohen's "
                f"kappa {estimated(found.kappa)}"
            )
        else:
            typer.echo("agreement with people: no prompt of --check got a label")
    for why, count in done.failures.most_common():
        where = f" (replies: {run.journal_path})" if why == UNREADABLE else ""
        typer.secho(f"no label for {count:,}: {why}{where}", err=True, fg="yellow")
    if done.stopped:
        left = len(todo) - len(done.labels)
        typer.secho(f"stopped with {left:,} prompts left: {done.stopped}", err=True, fg="red")
