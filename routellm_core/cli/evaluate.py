"""`routellm evaluate`: routers beside chance, prompt length and the best possible."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from ..checkpoints.store import write_whole
from ..contracts import Router
from ..data.logs.calls import Skipped
from ..data.writable import check_room
from ..errors import ConfigError
from ..evaluation.benchmarks.benchmark import (
    CONVERSATIONS,
    MMLU_GOLD,
    Benchmark,
    load_benchmark,
    mmlu_gold_hashes,
    read_hashes,
)
from ..evaluation.benchmarks.own_file import Models
from ..evaluation.compare import compare, reason
from ..evaluation.conversations import WrittenLabels, load_conversations
from ..evaluation.reporting.conversations import conversations_table
from ..evaluation.reporting.notes import notes
from ..evaluation.reporting.plots import require_matplotlib
from ..evaluation.reporting.report import REPORT, write_report
from ..evaluation.reporting.results_file import RESULTS, check_results, results_json
from ..evaluation.reporting.terminal import tables
from ..evaluation.reporting.wording import repeated
from ..evaluation.results import BenchmarkResult, Prices
from ..evaluation.scoring import cache_folder
from ..policy.policy import RoutingPolicy
from .shared.named_routers import NamedRouter, learned_lines, named_routers
from .shared.options import tell_if_cheaper
from .shared.progress import messages, shown_progress


def evaluate(
    context: typer.Context,
    router: Annotated[
        list[str],
        typer.Option(
            metavar="NAME[=FOLDER]",
            help="Name of a router, or a checkpoint of one; may be repeated.",
        ),
    ],
    benchmark: Annotated[
        list[str],
        typer.Option(
            metavar="mmlu|gsm8k|mt-bench|conversations|FILE",
            help="What to judge on; may be repeated. A file (JSON lines, CSV or parquet) has rows "
            "with 'prompt' and the qualities 'strong' and 'weak', or 'correct' by model. "
            "'conversations' shows where follow-ups go, beside a router that knows the labels; "
            "'conversations:test' has only those that no rule was developed on.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(
            help="Folder with the published evaluation of RouteLLM (routellm/evals of its "
            "repository).",
            file_okay=False,
        ),
    ] = None,
    checkpoint: Annotated[
        list[str] | None,
        typer.Option(
            help="Bundled name, folder or Hugging Face id; with a single --router. May be repeated."
        ),
    ] = None,
    exclude: Annotated[
        str | None,
        typer.Option(
            metavar="mmlu_gold|FILE",
            help="Leave out prompts that were trained on: the 1,500 of MMLU that the bundled "
            "routers learned from, or those in a JSON list of SHA-256.",
        ),
    ] = None,
    strong_share: Annotated[
        list[float] | None,
        typer.Option(
            metavar="SHARE",
            min=0.0,
            max=1.0,
            help="Share of strong calls at which to give quality and cost; may be repeated. "
            "0.5 if left out.",
        ),
    ] = None,
    calibration: Annotated[
        str | None,
        typer.Option(
            help="With conversations and a single --router, a calibration file in place of a share."
        ),
    ] = None,
    strong_model: Annotated[
        str | None, typer.Option(help="Name of the strong model in 'correct'.")
    ] = None,
    weak_model: Annotated[str | None, typer.Option(help="Name of the weak model.")] = None,
    strong_price: Annotated[
        float,
        typer.Option(
            min=0.0,
            help="What a query costs on the strong model, in any unit; a file's own costs "
            "come first.",
        ),
    ] = Prices.strong,
    weak_price: Annotated[
        float, typer.Option(min=0.0, help="The same on the weak model, in the same unit.")
    ] = Prices.weak,
    draws: Annotated[int, typer.Option(min=100, help="Resamples for the intervals.")] = 1000,
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder for results.json, report.md and its plots; made if absent.",
            file_okay=False,
        ),
    ] = None,
    scores: Annotated[
        bool, typer.Option("--scores", help="Also write every query's score to results.json.")
    ] = False,
    no_cache: Annotated[
        bool, typer.Option("--no-cache", help="Neither read nor write cached scores.")
    ] = False,
) -> None:
    """Measure how much of the quality gap between two models routers recover, and at what cost.

    Every figure has its bootstrap 95 % interval; differences are paired. If a router fails, it is
    reported, the others are measured, and the exit code is 1.
    """
    if checkpoint and len(router) > 1:
        raise ConfigError("--checkpoint goes with a single --router: run them one by one")
    if strong_price == 0:
        raise ConfigError("--strong-price is 0: write what a query costs on the strong model")
    if math.inf in (strong_price, weak_price):
        raise ConfigError("a price is infinite: write what a query costs, like 24.7")
    if scores and out is None:
        raise ConfigError("--scores writes to a file: give --out FOLDER")
    if strong_model is not None and strong_model == weak_model:
        raise ConfigError(
            f"--strong-model and --weak-model are both '{strong_model}': name two models"
        )
    named = named_routers(router, checkpoint or ())
    talks = [name for name in benchmark if name.partition(":")[0] == CONVERSATIONS]
    benchmark = [name for name in benchmark if name not in talks]
    if calibration and (not talks or len(named) > 1):
        raise ConfigError("--calibration goes with --benchmark conversations and a single --router")
    if out and not benchmark:
        raise ConfigError(
            "results on conversations are only printed: leave out --out, or add another benchmark"
        )
    shares = tuple(dict.fromkeys(strong_share or [0.5]))
    thresholds = _thresholds(named, shares, calibration) if talks else {}
    if out:
        require_matplotlib()
        check_results(out, REPORT)
    routers = _routers(named)
    hashes = _excluded(exclude, data)
    skipped = Skipped()
    benchmarks = _benchmarks(benchmark, data, hashes, (strong_model, weak_model), skipped)
    learned = [
        line for loaded in benchmarks for line in learned_lines(named, loaded.prompts, loaded.name)
    ]
    repeats = [repeated(each.name, each.repeats) for each in benchmarks if each.repeats]
    for line in [*skipped.lines(), *repeats, *learned]:
        typer.secho(line, err=True)
    names = (strong_model, weak_model)
    prices = Prices(strong_price, weak_price)
    given = None if prices == Prices() else (prices.strong, prices.weak)
    for loaded in benchmarks:
        tell_if_cheaper(names, given, loaded.costs, loaded.name)
    if exclude and not any(loaded.excluded for loaded in benchmarks):
        typer.secho(f"--exclude {exclude} matches no prompt of these benchmarks", err=True)
    if out:
        with _writable(out):
            out.mkdir(parents=True, exist_ok=True)
            check_room(out)  # before time is spent on scores
    console, results = Console(), []
    for loaded in benchmarks:
        with shown_progress(messages()) as progress:
            result = compare(
                loaded,
                routers,
                shares=shares,
                prices=prices,
                draws=draws,
                cache=None if no_cache else cache_folder(),
                progress=progress,
            )
        _print(result, console)
        results.append(result)
    for name in talks:
        chosen = load_conversations(part=name.partition(":")[2] or None)
        labels = WrittenLabels(load_conversations())
        console.print(conversations_table(labels, 0.5, "the written labels", chosen, draws))
        for (by, least), said in thresholds.items():
            scorer = routers[by]
            if isinstance(scorer, Router):
                console.print(conversations_table(scorer, least, said, chosen, draws))
    if out:
        command = _command(context)
        content = results_json(results, command=command, exclude=hashes, per_query=scores)
        with _writable(out):
            write_whole(out / RESULTS, content)
            write_report(results, out, command=command)
    if _failures(results):
        raise typer.Exit(1)


def _thresholds(
    named: Mapping[str, NamedRouter], shares: Sequence[float], calibration: str | None
) -> dict[tuple[str, float], str]:
    """Return the routers and thresholds by which conversations are judged, and their names."""
    wishes: list[dict[str, float | str]] = [{"strong_share": share} for share in shares]
    if calibration:
        wishes = [{"calibration": calibration}]
    found = {}
    for name, each in named.items():
        for wish in wishes:
            least = RoutingPolicy(each.router, router_options=each.options, **wish).threshold
            ((key, value),) = wish.items()
            found[name, least] = f"{name}, {key} {value}: threshold {least:.4f}"
    return found


def _routers(named: Mapping[str, NamedRouter]) -> dict[str, Router | Exception]:
    """Return the routers by name, or why one could not be loaded."""
    routers: dict[str, Router | Exception] = {}
    for name, each in named.items():
        try:
            routers[name] = each.load()
        except ConfigError:  # a name or an option misspelt: reported before long scoring
            raise
        except Exception as error:
            routers[name] = error
    failed = {name: each for name, each in routers.items() if isinstance(each, Exception)}
    if len(failed) == len(routers):
        reasons = "; ".join(f"'{name}': {reason(error)}" for name, error in failed.items())
        raise ConfigError(f"no router could be loaded: {reasons}")
    return routers


@contextmanager
def _writable(out: Path) -> Iterator[None]:
    """Turn a failure to write into an error with advice."""
    try:
        yield
    except OSError as error:
        where = error.filename2 or error.filename or out
        raise ConfigError(
            f"--out: {where} cannot be written ({error.strerror}): name another folder"
        ) from error


def _command(context: typer.Context) -> str:
    """Return what was typed, but for what changes no figure, with files named without folders."""
    words = ["routellm", "evaluate"]
    for parameter in context.command.params:
        name = str(parameter.name)
        source = context.get_parameter_source(name)
        if source is None or source.name != "COMMANDLINE" or name in ("out", "no_cache"):
            continue
        value = context.params[name]
        for each in value if isinstance(value, (list, tuple)) else [value]:
            words.append(parameter.opts[0])
            if not isinstance(each, bool):
                before, equals, text = ("", "", str(each))
                if name == "router":
                    before, equals, text = text.rpartition("=")
                named = Path(text).name if Path(text).exists() else text
                words.append(f"{before}{equals}{named}")
    return shlex.join(words)


def _excluded(exclude: str | None, data: Path | None) -> list[str]:
    if exclude is None:
        return []
    if exclude != MMLU_GOLD:
        return read_hashes(Path(exclude))
    if data is None:
        raise ConfigError(f"--exclude {MMLU_GOLD} needs the published files: give --data")
    return mmlu_gold_hashes(data)


def _benchmarks(
    names: Sequence[str], data: Path | None, hashes: list[str], models: Models, skipped: Skipped
) -> list[Benchmark]:
    benchmarks: dict[str, Benchmark] = {}
    for name in names:
        loaded = load_benchmark(name, data, exclude=hashes, models=models, skipped=skipped)
        if loaded.name in benchmarks:
            raise ConfigError(f"two benchmarks are called '{loaded.name}': rename a file")
        benchmarks[loaded.name] = loaded
    return list(benchmarks.values())


def _print(result: BenchmarkResult, console: Console) -> None:
    for table in tables(result, console.width):
        console.print(table)
    for note in notes(result):
        console.print(note, highlight=False, markup=False)
    console.print()


def _failures(results: Sequence[BenchmarkResult]) -> bool:
    """Print which routers failed; return whether any did."""
    failures = {
        f"error: router '{router.name}' on {result.benchmark}: {router.error}": None
        for result in results
        for router in result.results
        if router.error
    }
    for failure in failures:
        typer.secho(failure, err=True, fg="red")
    return bool(failures)
