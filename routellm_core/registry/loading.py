"""Load routers and encoders by name, once per process."""

from __future__ import annotations

import inspect
import os
import threading
from collections.abc import Callable, Hashable

from ..contracts import Encoder, Router
from ..errors import ConfigError, PluginError, did_you_mean
from .plugins import plugins

_cache: dict[Hashable, object] = {}
_loading: dict[Hashable, threading.Lock] = {}
_stamps: dict[Hashable, Hashable] = {}
"""Of what was loaded, the state in which the folder of its checkpoint was; None: it has none that
changes."""


def load_router(name: str, **options: Hashable) -> Router:
    """Return a router, shared by everyone in this process who asks for the same one.

    Args:
        name: ``mf``, ``sw_ranking``, ``bert``, ``causal_llm``, ``random``, or a plugin's.
        options: what the router takes; for the first four ``checkpoint`` (a bundled name, a folder
            as text or ``os.PathLike``, or a Hugging Face id); for the first two ``strong_model``
            and ``weak_model`` (the reference pair, among the models the checkpoint was trained
            on); for the next two ``device`` (of torch); for ``causal_llm`` ``base_url`` and
            ``model``, and what else ``CausalLLMRouter.from_server`` takes, to ask a server.

    Raises:
        ConfigError: no such router, an option it does not take, or an option's value is wrong.
        CheckpointError: its weights are missing or damaged.
        MissingExtraError: it needs a package that is not installed.
    """
    router = _load("router", name, plugins.factory("router", name), options)
    if not isinstance(router, Router):
        raise _wrong_class("router", name, router)
    return router


def reload_router(name: str, **options: Hashable) -> Router:
    """Return a router as ``load_router`` does, loaded again if its checkpoint's folder has changed
    since or it is stale, for everyone who asks from then on. If that fails, ``load_router`` goes on
    giving the one before.

    Raises:
        RouteLLMError: as in ``load_router``.
    """
    router = _load("router", name, plugins.factory("router", name), options, again=True)
    if not isinstance(router, Router):
        raise _wrong_class("router", name, router)
    return router


def router_stamp(name: str, **options: Hashable) -> Hashable:
    """Return the state in which a router's checkpoint was when it was loaded: what
    ``checkpoints.store.stamp_of`` gave of its folder; None if it has none that changes.
    """
    factory = plugins.factory("router", name)
    return _stamps.get(_key("router", name, factory, options))


def load_encoder(name: str, **options: Hashable) -> Encoder:
    """Return an encoder, shared by everyone in this process who asks for the same one.

    Args:
        name: ``static``, ``openai``, ``sentence_transformer``, or a plugin's.
        options: what the encoder takes.

    Raises:
        ConfigError: no such encoder, an option it does not take, or an option's value is wrong.
        CheckpointError: its weights are missing or damaged.
        MissingExtraError: it needs a package that is not installed.
    """
    encoder = _load("encoder", name, plugins.factory("encoder", name), options)
    if not isinstance(encoder, Encoder):
        raise _wrong_class("encoder", name, encoder)
    return encoder


def described_encoder(described: object) -> Encoder:
    """Return the encoder that a configuration or a checkpoint describes.

    Args:
        described: its name, or ``{"name": its name, option: value, ...}``.

    Raises:
        ConfigError: it is neither, or as ``load_encoder``.
        CheckpointError: its weights are missing or damaged.
        MissingExtraError: it needs a package that is not installed.
    """
    options = {"name": described} if isinstance(described, str) else described
    if (
        not isinstance(options, dict)
        or not isinstance(options.get("name"), str)
        or not all(isinstance(option, str) for option in options)
    ):
        raise ConfigError(
            f"'encoder' is {described!r:.200}: write its name, or {{name: ..., option: value}}"
        )
    return load_encoder(**options)


def _load(
    kind: str,
    name: str,
    factory: Callable[..., object],
    options: dict[str, Hashable],
    *,
    again: bool = False,
) -> object:
    key = _key(kind, name, factory, options)
    # One lock for each, so that what loads slowly does not hold up the rest.
    with _loading.setdefault(key, threading.Lock()):
        if again or key not in _cache:
            stamp = _stamp(options.get("checkpoint"))
            if key not in _cache or stamp != _stamps[key] or _is_stale(_cache[key]):
                _cache[key] = factory(**options)
                _stamps[key] = stamp
        return _cache[key]


def _is_stale(loaded: object) -> bool:
    return isinstance(loaded, Router) and loaded.is_stale


def _key(
    kind: str, name: str, factory: Callable[..., object], options: dict[str, Hashable]
) -> Hashable:
    defaults = _check_options(kind, name, factory, options)
    given = {option: _canonical(option, value) for option, value in options.items()}
    return (
        *(kind, name, factory),
        *(pair for pair in sorted(given.items()) if pair[1] != defaults.get(pair[0])),
    )


def _stamp(checkpoint: Hashable) -> Hashable:
    if checkpoint is None:
        return None
    from ..checkpoints.store import folder_that_changes, stamp_of

    folder = folder_that_changes(checkpoint)
    return None if folder is None else stamp_of(folder)


def _canonical(option: str, value: object) -> tuple[type, object]:
    """Return the same for any two values of an option that mean the same."""
    if isinstance(value, os.PathLike) or (option == "checkpoint" and isinstance(value, str)):
        # On first use: importing it takes longer than importing all the rest of the registry.
        from ..checkpoints.store import local_folder

        if not os.path.isabs(value):
            value = local_folder(value) or value
        value = os.fsdecode(value)
    # With the type, because True and 1.0 are equal to 1.
    return type(value), value


def _wrong_class(kind: str, name: str, made: object) -> PluginError:
    return PluginError(
        f"{kind} '{name}' is a {type(made).__name__}: "
        f"its class must derive from routellm_core.{kind.capitalize()}"
    )


def _check_options(
    kind: str, name: str, factory: Callable[..., object], options: dict[str, Hashable]
) -> dict[str, tuple[type, object]]:
    """Return the factory's defaults in canonical form, after checking the options against it."""
    try:
        signature = inspect.signature(factory)
    except ValueError:  # some built-in and compiled callables have none
        signature = None
    parameters = signature.parameters.values() if signature else ()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes = [parameter.name for parameter in named]
    open_ended = signature is None or any(p.kind is p.VAR_KEYWORD for p in parameters)
    for option, value in options.items():
        if option not in takes and not open_ended:
            hint = did_you_mean(option, takes) if takes else "it takes none"
            raise ConfigError(f"{kind} '{name}' has no option '{option}': {hint}")
        try:
            hash(value)
        except TypeError:
            raise ConfigError(
                f"{kind} '{name}': option '{option}' must be a plain value (text, a number, true "
                f"or false), but is {value!r:.100}"
            ) from None
    if signature:
        try:
            signature.bind(**options)
        except TypeError as error:
            raise ConfigError(f"{kind} '{name}': {error}; give it as an option") from error
    return {p.name: _canonical(p.name, p.default) for p in named}


def _forget_locks() -> None:
    _loading.clear()


if hasattr(os, "register_at_fork"):  # Windows has no fork
    # A lock that another thread held at the fork would never be released in the child.
    os.register_at_fork(after_in_child=_forget_locks)
