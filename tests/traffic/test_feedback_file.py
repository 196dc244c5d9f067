"""Files of feedback, in each of their forms."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from routellm_core import DataError
from routellm_core.traffic.exploration.logs import read_judgements
from routellm_core.traffic.store.feedback_file import read_feedback
from routellm_core.traffic.store.kept import Feedback


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ('{"score": 1}', "'request_id' is null"),
        ('{"request_id": "r1"}', "no 'score': write a number in [0, 1]"),
        ('{"request_id": "r1", "score": 5}', "'score' is 5.0: write a number in [0, 1]"),
        ('{"request_id": "r1", "score": 1, "tier": "best"}', "write strong or weak"),
        ("thumbs up", "not JSON"),
    ],
)
def test_a_wrong_line_of_feedback_is_named(tmp_path: Path, line: str, advice: str):
    file = tmp_path / "feedback.jsonl"
    file.write_text('{"request_id": "r0", "score": true}\n' + line + "\n")
    with pytest.raises(DataError, match="line 2") as caught:
        list(read_feedback(file))
    assert advice in str(caught.value)


def test_evaluations_of_opentelemetry_are_feedback(tmp_path: Path):
    attributes = {
        "gen_ai.response.id": "chatcmpl-1",
        "gen_ai.evaluation.name": "relevance",
        "gen_ai.evaluation.score.value": 0.75,
    }
    file = tmp_path / "events.jsonl"
    event = {"name": "gen_ai.evaluation.result", "attributes": attributes}
    file.write_text(json.dumps(event) + "\n")
    assert list(read_feedback(file)) == [Feedback("chatcmpl-1", 0.75, None, "relevance")]


EVALUATION = {
    "gen_ai.evaluation.name": "relevance",
    "gen_ai.evaluation.score.value": 0.75,
}


def otlp(attributes: dict[str, Any]) -> list[dict[str, Any]]:
    kinds = {str: "stringValue", float: "doubleValue"}
    return [{"key": k, "value": {kinds[type(v)]: v}} for k, v in attributes.items()]


@pytest.mark.parametrize(
    "line",
    [
        {"gen_ai.response.id": "chatcmpl-1", **EVALUATION},
        {"attributes": otlp({"gen_ai.response.id": "chatcmpl-1", **EVALUATION})},
        {
            "resourceLogs": [
                {
                    "scopeLogs": [
                        {
                            "logRecords": [
                                {"attributes": otlp({"exception.type": "ValueError"})},
                                {
                                    "eventName": "gen_ai.evaluation.result",
                                    "attributes": otlp(
                                        {"gen_ai.response.id": "chatcmpl-1", **EVALUATION}
                                    ),
                                },
                            ]
                        }
                    ]
                }
            ]
        },
        {
            "resourceSpans": [
                {
                    "scopeSpans": [
                        {
                            "spans": [
                                {"name": "no model's"},
                                {
                                    "attributes": otlp({"gen_ai.response.id": "chatcmpl-1"}),
                                    "events": [
                                        {
                                            "name": "gen_ai.evaluation.result",
                                            "attributes": otlp(EVALUATION),
                                        }
                                    ],
                                },
                            ]
                        }
                    ]
                }
            ]
        },
    ],
    ids=["flat", "event", "logs", "spans"],
)
def test_evaluations_are_read_in_every_form_of_opentelemetry(tmp_path: Path, line: dict[str, Any]):
    file = tmp_path / "events.jsonl"
    file.write_text(json.dumps(line) + "\n")
    assert list(read_feedback(file)) == [Feedback("chatcmpl-1", 0.75, None, "relevance")]
    assert read_judgements(file) == {"chatcmpl-1": 0.75}


def test_thumbs_in_csv_are_feedback(tmp_path: Path):
    file = tmp_path / "thumbs.csv"
    file.write_text("request_id,score\nr1,1\nr2,false\nr3,0.5\n")
    assert [(each.request_id, each.score) for each in read_feedback(file)] == [
        ("r1", 1.0),
        ("r2", 0.0),
        ("r3", 0.5),
    ]
