"""What LangChain wraps around a model: ``bind``, ``with_config``, ``with_retry``, fallbacks."""

from __future__ import annotations

from collections.abc import Iterator

from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase


def unwrapped(model: object) -> object:
    """Return the model inside its wrappers; of several fallbacks, the first that is asked."""
    while True:
        if isinstance(model, RunnableBindingBase):
            model = model.bound
        elif isinstance(model, RunnableWithFallbacks):
            model = model.runnable
        else:
            return model


def inside(model: object) -> Iterator[object]:
    """Yield what is inside a model's wrappers, fallbacks included."""
    if isinstance(model, RunnableBindingBase):
        yield from inside(model.bound)
    elif isinstance(model, RunnableWithFallbacks):
        for each in model.runnables:
            yield from inside(each)
    else:
        yield model
