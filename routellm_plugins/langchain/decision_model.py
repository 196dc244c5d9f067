"""Routing behind LangChain's own ``ModelRouterMiddleware``: win rates as a decision model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from langchain_core import __version__ as langchain_core_version
from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import ensure_config
from pydantic import PrivateAttr

from routellm_core import (
    Asked,
    ConfigError,
    Decision,
    MissingExtraError,
    PolicySettings,
    validate_settings,
)
from routellm_core.policy.policies import adecide, decide, policy_of
from routellm_core.policy.policy import Call

from .asking.calls import asked_in

try:
    from langchain_core.decisions import (  # type: ignore[import-not-found, unused-ignore]
        Answer,
        BaseDecisionModel,
        Choice,
        ChoiceAnswer,
        ClassifierResponse,
        Noul,
        NoulAnswer,
        Question,
        State,
    )
except ImportError as error:
    raise MissingExtraError(
        "RouteLLMDecisionModel needs langchain-core 1.8 or newer, and this is "
        f'{langchain_core_version}: pip install -U "langchain-core>=1.8", or use '
        "RouteLLMMiddleware, which needs no decision models"
    ) from error


class RouteLLMDecisionModel(BaseDecisionModel):  # type: ignore[misc, unused-ignore]
    """Answers which of two models, ``strong`` or ``weak``, serves a prompt.

    A ``Choice`` between these two labels is answered by the threshold, so the chosen label is not
    always the more probable one: ``probabilities`` are the strong win rate and 1 minus it, and
    ``confidence`` is the probability of the chosen label. A ``Noul`` is answered with the strong
    win rate. Without a score (no text, or scoring failed), the label of ``on_no_text`` or
    ``on_error`` gets probability 1. Instructions and criteria are not read, because the router has
    learned what to judge.

    Args:
        **settings: the settings of ``RoutingPolicy``, such as ``router``, ``threshold``,
            ``strong_share``, ``on_error`` and ``sticky``.

    Raises:
        ConfigError: a setting is unknown, out of range, or contradicts another; or, on a call, the
            question is of another kind or has other labels.
        CheckpointError: the router's weights are missing or damaged.
    """

    _settings: PolicySettings = PrivateAttr()

    def __init__(self, **settings: Any) -> None:
        checked = validate_settings(PolicySettings, dict(settings))
        policy = policy_of(checked)
        super().__init__(model=f"router-{checked.router}-{policy.threshold:.5g}")
        self._settings = checked

    @property
    def _provider(self) -> str:
        return "routellm"

    def _classify(self, state: State, questions: dict[str, Question]) -> ClassifierResponse:
        return self._response(decide(self._settings, self._asking(state)), questions)

    async def _aclassify(self, state: State, questions: dict[str, Question]) -> ClassifierResponse:
        decision = await adecide(self._settings, self._asking(state))
        return self._response(decision, questions)

    def _asking(self, state: State) -> Call:
        # LangGraph's config, where the model is asked inside of an agent.
        configurable = ensure_config().get("configurable", {})
        return partial(_asked, state, self._settings, configurable)

    def _response(self, decision: Decision, questions: dict[str, Question]) -> ClassifierResponse:
        answers = {name: _answer(name, question, decision) for name, question in questions.items()}
        return ClassifierResponse(model=self.model, answers=answers)


def _answer(name: str, question: Question, decision: Decision) -> Answer:
    win_rate = decision.score
    if win_rate is None:
        win_rate = 1.0 if decision.tier == "strong" else 0.0
    if isinstance(question, Noul):
        return NoulAnswer(type="noul", noul=win_rate)
    if not isinstance(question, Choice):
        raise ConfigError(
            f"question '{name}' is a {type(question).__name__}, and a router only answers "
            "Choice and Noul"
        )
    probabilities = {"strong": win_rate, "weak": 1.0 - win_rate}
    if question.criteria.keys() != probabilities.keys():
        raise ConfigError(
            f"question '{name}' has the labels {', '.join(sorted(question.criteria))}: name the "
            "choices 'strong' and 'weak'"
        )
    return ChoiceAnswer(
        type="choice",
        choice=decision.tier,
        probabilities=probabilities,
        confidence=probabilities[decision.tier],
    )


def _asked(state: State, settings: PolicySettings, configurable: Mapping[str, Any]) -> Asked:
    """Return what a state asks: its text, or what the human wrote in its messages."""
    found = state.get("messages") if isinstance(state, Mapping) else state
    if isinstance(found, str):
        return Asked((found,))
    if isinstance(found, BaseMessage):
        found = [found]
    if not isinstance(found, Sequence):
        return Asked()
    messages = [message for message in found if isinstance(message, BaseMessage)]
    return asked_in(messages, settings, configurable)
