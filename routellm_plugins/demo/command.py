"""`routellm demo`: show where a real proxy sends real prompts, with stand-in models."""

from __future__ import annotations

import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from routellm_core import MissingExtraError, RouteLLMError

from .prompts import PROMPTS
from .proxy_process import ProxyProcess, free_port
from .standin import StandIn

if TYPE_CHECKING:
    from openai import OpenAI

ALIAS = "gpt-4o-router"
STRONG, WEAK = "gpt-4o", "gpt-4o-mini"


@dataclass(frozen=True)
class Answered:
    """A prompt, the decision on it and the answer to it."""

    prompt: str
    score: float
    threshold: float
    tier: str
    upstream: str
    prompt_tokens: int
    completion_tokens: int


def demo(
    once: Annotated[
        bool, typer.Option("--once", help="Exit after the table instead of staying up.")
    ] = False,
    port: Annotated[
        int,
        typer.Option(
            min=0, max=65535, help="Where the proxy listens; another free port if it is taken."
        ),
    ] = 4000,
) -> None:
    """Route real prompts through a real LiteLLM proxy. No key, no download, no GPU."""
    # So that the proxy ends with the demo, however the demo is stopped.
    for name in ("SIGTERM", "SIGHUP"):  # Windows has no SIGHUP
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    console = Console()
    started = time.perf_counter()
    key = f"sk-demo-{secrets.token_hex(8)}"
    with StandIn(STRONG) as strong, StandIn(WEAK) as weak:
        env = {
            "STRONG_API_BASE": strong.url,
            "STRONG_API_KEY": "unused",
            "WEAK_API_BASE": weak.url,
            "WEAK_API_KEY": "unused",
            "LITELLM_MASTER_KEY": key,
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        }
        proxy = ProxyProcess(example_config(), env, free_port(port))
        console.print(
            f"Two stand-in models: [bold]{STRONG}[/] at {strong.url}, [bold]{WEAK}[/] at {weak.url}"
        )
        try:
            with console.status(f"litellm --config {example_config().name} --port {proxy.port}"):
                proxy.start()
            console.print(
                f"LiteLLM proxy up at [bold]{proxy.url}[/] "
                f"after {time.perf_counter() - started:.0f} s"
            )
            answered, failures = _ask(_client(proxy, key), {STRONG: strong, WEAK: weak}, console)
            if answered:
                console.print(_table(answered, _prices(proxy, key), console.width))
            for failure in failures:
                console.print(f"[red]not answered[/]: {escape(failure)}")
            if once:
                if failures or {a.upstream for a in answered} != {STRONG, WEAK}:
                    console.print("[red]failed[/]: every prompt must be answered, by both models")
                    raise typer.Exit(1)
                return
            _say_how_to_call(console, proxy, key)
            raise RouteLLMError(f"the proxy ended by itself, with exit code {proxy.wait()}")
        except KeyboardInterrupt:
            console.print("stopped")
        finally:
            proxy.stop()


def example_config() -> Path:
    """Return the proxy config of the demo: installed with the package, or of this checkout."""
    here = Path(__file__)
    for path in (
        here.with_name("example_config.yaml"),
        here.parents[2] / "examples/litellm/config.yaml",
    ):
        if path.is_file():
            return path
    raise RouteLLMError("the demo's config is missing: reinstall routellm-plugins")


def _client(proxy: ProxyProcess, key: str) -> OpenAI:
    try:
        from openai import OpenAI
    except ImportError as error:
        raise MissingExtraError(
            'the openai client is not installed: pip install "routellm-plugins[litellm]"'
        ) from error
    return OpenAI(base_url=f"{proxy.url}/v1", api_key=key)


def _ask(
    client: OpenAI, upstreams: dict[str, StandIn], console: Console
) -> tuple[list[Answered], list[str]]:
    from openai import OpenAIError

    answered: list[Answered] = []
    failures: list[str] = []
    for prompt in track(
        PROMPTS, f'Asking model="{ALIAS}" with the openai client', console=console, transient=True
    ):
        before = {name: len(upstream.requests) for name, upstream in upstreams.items()}
        try:
            raw = client.chat.completions.with_raw_response.create(
                model=ALIAS, messages=[{"role": "user", "content": prompt}]
            )
        except OpenAIError as error:
            failures.append(f"{_short(prompt)}: {error}")
            continue
        usage = raw.parse().usage
        served = [
            name for name, stand_in in upstreams.items() if len(stand_in.requests) > before[name]
        ]
        answered.append(
            Answered(
                prompt=prompt,
                score=float(raw.headers.get("x-routellm-score", "nan")),
                threshold=float(raw.headers.get("x-routellm-threshold", "nan")),
                tier=raw.headers.get("x-routellm-tier", "?"),
                upstream=served[-1],
                prompt_tokens=usage.prompt_tokens if usage else 0,
                completion_tokens=usage.completion_tokens if usage else 0,
            )
        )
    return answered, failures


def _prices(proxy: ProxyProcess, key: str) -> dict[str, tuple[float, float]]:
    """Return LiteLLM's list prices of both models: dollars per token, in and out."""
    import httpx

    reply = httpx.get(f"{proxy.url}/model/info", headers={"authorization": f"Bearer {key}"})
    reply.raise_for_status()
    prices: dict[str, tuple[float, float]] = {}
    for entry in reply.json()["data"]:
        info: dict[str, Any] = entry["model_info"]
        prices[entry["model_name"]] = (
            info.get("input_cost_per_token") or 0.0,
            info.get("output_cost_per_token") or 0.0,
        )
    return prices


def _table(answered: list[Answered], prices: dict[str, tuple[float, float]], width: int) -> Table:
    table = Table(
        title=f'{len(answered)} prompts to model="{ALIAS}"', box=SIMPLE_HEAD, padding=(0, 1, 0, 0)
    )
    table.add_column("prompt", no_wrap=True, max_width=max(width - 65, 12))
    table.add_column("strong\nwin rate", justify="right", min_width=8)
    table.add_column("threshold", justify="right", min_width=9)
    table.add_column("goes\nto", min_width=6)
    table.add_column("answered\nby", min_width=11)
    table.add_column("cost\n(¢)", justify="right", min_width=6)
    table.add_column("always\nstrong (¢)", justify="right", min_width=10)
    spent = always = 0.0
    for a in answered:
        cost, strong_cost = _cost(a, prices[a.upstream]), _cost(a, prices[STRONG])
        spent, always = spent + cost, always + strong_cost
        color = "magenta" if a.tier == "strong" else "cyan"
        table.add_row(
            escape(_short(a.prompt)),
            f"{a.score:.3f}",
            f"{a.threshold:.3f}",
            f"[{color}]{a.tier}[/]",
            a.upstream,
            f"{cost * 100:.4f}",
            f"{strong_cost * 100:.4f}",
        )
    table.add_section()
    to_strong = sum(a.tier == "strong" for a in answered)
    table.add_row(
        f"{to_strong} of {len(answered)} strong",
        *[""] * 4,
        f"{spent * 100:.4f}",
        f"{always * 100:.4f}",
    )
    table.caption = (
        f"{1 - spent / always:.0%} saved against always strong, at list prices "
        "for the stand-ins' answers"
    )
    return table


def _cost(answered: Answered, price: tuple[float, float]) -> float:
    return answered.prompt_tokens * price[0] + answered.completion_tokens * price[1]


def _short(prompt: str) -> str:
    return " ".join(prompt.split())[:120]


def _say_how_to_call(console: Console, proxy: ProxyProcess, key: str) -> None:
    console.print("\nThe proxy stays up. Call it as any OpenAI-compatible server:\n")
    console.print(
        f"curl -si {proxy.url}/v1/chat/completions -H 'Authorization: Bearer {key}' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f'  -d \'{{"model": "{ALIAS}", "messages": [{{"role": "user", "content": "Hello"}}]}}\'',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f'\nOpenAI(base_url="{proxy.url}/v1", api_key="{key}")\\\n'
        f'  .chat.completions.create(model="{ALIAS}", messages=[...])\n',
        markup=False,
        highlight=False,
        soft_wrap=True,
    )
    console.print("The decision is in the x-routellm-* headers. Ctrl-C stops everything.")
