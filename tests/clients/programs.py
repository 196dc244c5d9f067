"""How each client is run: what is installed, and what asks a question and then a follow-up."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Program:
    """A client that is run without anybody at the keyboard.

    ``{url}`` stands for the proxy's URL, ``{key}`` for its key, ``{ask}`` for the human's words.
    """

    package: str
    """Of npm, or of pip; the environment or prefix has its name."""
    first: str
    """A shell command, or the body of a Python program that has ``asks``, a list of texts."""
    then: str = ""
    """The shell command for a follow-up; a Python program asks all."""
    files: tuple[tuple[str, str], ...] = ()
    """Path below the home folder, and content."""
    env: tuple[tuple[str, str], ...] = ()

    @property
    def is_python(self) -> bool:
        return not self.then


OPENAI = (
    ("OPENAI_API_KEY", "{key}"),
    ("OPENAI_BASE_URL", "{url}/v1"),
    ("OPENAI_API_BASE", "{url}/v1"),
    ("OPENAI_MODEL", "coder"),
)

CLAUDE = (
    ("ANTHROPIC_BASE_URL", "{url}"),
    ("ANTHROPIC_AUTH_TOKEN", "{key}"),
    ("ANTHROPIC_MODEL", "coder"),
    ("ANTHROPIC_SMALL_FAST_MODEL", "coder"),
    ("ANTHROPIC_DEFAULT_HAIKU_MODEL", "coder"),
)

CODEX = """model = "coder"
model_provider = "proxy"
[model_providers.proxy]
name = "proxy"
base_url = "{url}/v1"
wire_api = "responses"
env_key = "OPENAI_API_KEY"
"""

OPENCODE = """{{"model": "proxy/coder", "small_model": "proxy/coder", "provider": {{"proxy": {{
 "npm": "@ai-sdk/openai-compatible", "models": {{"coder": {{}}}},
 "options": {{"baseURL": "{url}/v1", "apiKey": "{key}"}}}}}}}}"""


CONTINUE = """name: proxy
version: 1.0.0
schema: v1
models:
  - {{name: coder, provider: openai, model: coder, apiBase: "{url}/v1", apiKey: "{key}"}}
"""

LLM = """- {{model_id: coder, model_name: coder, api_base: "{url}/v1", api_key_name: openai}}
"""

VERCEL = """
const fs = require("fs");
const {{ generateText, tool, stepCountIs }} = require("ai");
const {{ createOpenAICompatible }} = require("@ai-sdk/openai-compatible");
const {{ z }} = require("zod");
const proxy = createOpenAICompatible({{ name: "proxy", baseURL: "{url}/v1", apiKey: "{key}" }});
const look = tool({{
  description: "Look up.",
  inputSchema: z.object({{ city: z.string() }}),
  execute: async () => "a long proof ".repeat(20),
}});
const kept = process.env.HOME + "/said.json";
const said = fs.existsSync(kept) ? JSON.parse(fs.readFileSync(kept)) : [];
said.push({{ role: "user", content: process.argv[2] }});
const settings = {{ system: "Help.", tools: {{ look }}, stopWhen: stepCountIs(3) }};
generateText({{ model: proxy("coder"), messages: said, ...settings }}).then((done) =>
  fs.writeFileSync(kept, JSON.stringify([...said, ...done.response.messages])),
);
"""

CLINE_AGAIN = """
id=$(cline history --json | grep -om1 '"sessionId": *"[^"]*' | cut -d'"' -f4)
# It goes on with a session in a terminal alone, where the words and the key are typed.
timeout -k 1 45 script -qec "cline --id $id -P openai -m coder" /dev/null < <(
  sleep 15; printf '%s' '{ask}'; sleep 2; printf '\\r'; sleep 30)
"""

OPENAI_AGENTS = """
from agents import Agent, Runner, RunConfig, function_tool
from agents import set_default_openai_api, set_tracing_disabled
set_default_openai_api("chat_completions"); set_tracing_disabled(True)
@function_tool
def lookup(city: str) -> str:
    return "a long proof " * 20
other = Agent(name="b", instructions="Help.", model="coder", tools=[lookup])
agent = Agent(name="a", instructions="Help.", model="coder", {handoffs})
said = []
for ask in asks:
    said.append(dict(role="user", content=ask))
    said = Runner.run_sync(agent, said, {config}).to_input_list()
"""

SMOLAGENTS = """
from smolagents import OpenAIServerModel, ToolCallingAgent
model = OpenAIServerModel("coder", api_base="{{url}}/v1", api_key="{{key}}")
given = dict(model=model, max_steps=3)
agent = {runs}
for at, ask in enumerate(asks):
    agent.run(ask, reset=at == 0)
"""

AUTOGEN = """
import asyncio
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import MagenticOneGroupChat, SelectorGroupChat
from autogen_ext.models.openai import OpenAIChatCompletionClient
can = dict.fromkeys(["function_calling", "json_output", "structured_output"], True)
client = OpenAIChatCompletionClient(
    model="coder", base_url="{{url}}/v1", api_key="{{key}}",
    model_info=dict(can, vision=False, family="unknown"),
)
def lookup(city: str) -> str:
    return "a long proof " * 20
agents = [AssistantAgent(name, client, description=name) for name in ("writer", "critic")]
end = MaxMessageTermination(3)
runs = {runs}
async def main():
    for ask in asks:
        await runs.run(task=ask)
asyncio.run(main())
"""

PROGRAMS: dict[str, Program] = {
    "Claude Code": Program(
        "@anthropic-ai/claude-code", "claude -p '{ask}'", "claude -p -c '{ask}'", env=CLAUDE
    ),
    "Codex": Program(
        "@openai/codex",
        "codex exec --skip-git-repo-check '{ask}'",
        "codex exec resume --skip-git-repo-check --last '{ask}'",
        ((".codex/config.toml", CODEX),),
        OPENAI,
    ),
    "Gemini CLI": Program(
        "@google/gemini-cli",
        "gemini --skip-trust -m coder -p '{ask}'",
        "gemini --skip-trust -m coder --resume latest -p '{ask}'",
        (
            (
                ".gemini/settings.json",
                '{{"security": {{"auth": {{"selectedType": "gemini-api-key"}}}}}}',
            ),
        ),
        (("GOOGLE_GEMINI_BASE_URL", "{url}"), ("GEMINI_API_KEY", "{key}")),
    ),
    "opencode": Program(
        "opencode-ai",
        "opencode run '{ask}'",
        "opencode run -c '{ask}'",
        ((".config/opencode/opencode.json", OPENCODE),),
    ),
    "Qwen Code": Program(
        "@qwen-code/qwen-code",
        "qwen --auth-type openai -p '{ask}'",
        "qwen --auth-type openai -c -p '{ask}'",
        env=OPENAI,
    ),
    "Continue": Program(
        "@continuedev/cli",
        "cn --config ~/config.yaml -p '{ask}'",
        "cn --config ~/config.yaml --resume -p '{ask}'",
        (("config.yaml", CONTINUE),),
    ),
    "Cline": Program(
        "cline",
        "cline auth -p openai -k {key} -b {url}/v1 -m coder; cline -P openai -m coder '{ask}'",
        CLINE_AGAIN,
        env=(("TERM", "xterm"),),
    ),
    "Vercel AI SDK": Program(
        "ai",  # with @ai-sdk/openai-compatible and zod
        "node ~/ask.cjs '{ask}'",
        "node ~/ask.cjs '{ask}'",
        (("ask.cjs", VERCEL),),
    ),
    "aider": Program(
        "aider-chat",
        "aider --model openai/coder --weak-model openai/coder --no-git --yes-always --no-stream"
        " --no-check-update --no-show-model-warnings --no-show-release-notes --message '{ask}'",
        "aider --model openai/coder --weak-model openai/coder --no-git --yes-always --no-stream"
        " --no-check-update --no-show-model-warnings --no-show-release-notes"
        " --restore-chat-history --message '{ask}'",
        env=OPENAI,
    ),
    "gptme": Program(
        "gptme",
        "gptme --non-interactive --name talk -m local/coder '{ask}'",
        "gptme --non-interactive --name talk -m local/coder '{ask}'",
        env=OPENAI,
    ),
    "llm": Program(
        "llm",
        "llm -m coder '{ask}'",
        "llm -c '{ask}'",
        ((".config/io.datasette.llm/extra-openai-models.yaml", LLM),),
        OPENAI,
    ),
    "shell-gpt": Program(
        "shell-gpt",
        "sgpt --no-functions --chat talk --model coder '{ask}'",
        "sgpt --no-functions --chat talk --model coder '{ask}'",
        env=(*OPENAI, ("API_BASE_URL", "{url}/v1"), ("USE_LITELLM", "false")),
    ),
    "smolagents": Program("smolagents", SMOLAGENTS.format(runs="ToolCallingAgent([], **given)")),
    "smolagents, plans": Program(
        "smolagents", SMOLAGENTS.format(runs="ToolCallingAgent([], planning_interval=1, **given)")
    ),
    "mini-swe-agent": Program(
        "mini-swe-agent",
        """
import yaml
from minisweagent.agents.default import DefaultAgent
from minisweagent.config import get_config_path
from minisweagent.environments.local import LocalEnvironment
from minisweagent.exceptions import FormatError, LimitsExceeded
from minisweagent.models import get_model
config = yaml.safe_load(get_config_path("mini").read_text())
model = get_model("openai/coder", {{**config["model"], "cost_tracking": "ignore_errors"}})
agent = DefaultAgent(model, LocalEnvironment(), **{{**config["agent"], "step_limit": 3}})
agent.run(asks[0])
for ask in asks[1:]:  # as its InteractiveAgent goes on, which needs a terminal
    agent.config.step_limit += 3
    del agent.messages[-1]
    said = f"The user added a new task: {{ask}}"
    agent.add_messages(agent.model.format_message(role="user", content=said))
    try:
        while True:
            try:
                agent.step()
            except FormatError as error:
                agent.add_messages(*error.messages)
    except LimitsExceeded:
        pass
""",
        env=OPENAI,
    ),
    "DSPy": Program(
        "dspy",
        """
import dspy
dspy.configure(lm=dspy.LM("openai/coder", api_base="{url}/v1", api_key="{key}", cache=False))
history = dspy.History(messages=[])
program = dspy.Predict("history: dspy.History, question -> answer")
for ask in asks:
    try:
        program(question=ask, history=history)
    except dspy.utils.exceptions.AdapterParseError:
        pass  # the stand-in does not answer in its form
    history.messages.append(dict(question=ask, answer="Done."))
""",
    ),
    "openai-agents": Program(
        "openai-agents", OPENAI_AGENTS.format(handoffs="tools=[lookup]", config=""), env=OPENAI
    ),
    "openai-agents, handoffs": Program(
        "openai-agents", OPENAI_AGENTS.format(handoffs="handoffs=[other]", config=""), env=OPENAI
    ),
    "openai-agents, nested history": Program(
        "openai-agents",
        OPENAI_AGENTS.format(
            handoffs="handoffs=[other]", config="run_config=RunConfig(nest_handoff_history=True)"
        ),
        env=OPENAI,
    ),
    "pydantic-ai": Program(
        "pydantic-ai-slim",
        """
from pydantic_ai import Agent
agent = Agent("openai-chat:coder", instructions="Help.")
@agent.tool_plain
def lookup(city: str) -> str:
    return "a long proof " * 20
said = None
for ask in asks:
    said = agent.run_sync(ask, message_history=said).all_messages()
""",
        env=OPENAI,
    ),
    "Instructor": Program(
        "instructor",
        """
import instructor, openai
from pydantic import BaseModel
class Answer(BaseModel):
    text: str
client, said = instructor.from_openai(openai.OpenAI()), []
for ask in asks:
    said.append(dict(role="user", content=ask))
    answer = client.chat.completions.create(model="coder", messages=said, response_model=Answer)
    said.append(dict(role="assistant", content=answer.text))
""",
        env=OPENAI,
    ),
    "agno": Program(
        "agno",
        """
from agno.agent import Agent
from agno.db.in_memory import InMemoryDb
from agno.models.openai.like import OpenAILike
model = OpenAILike(id="coder", base_url="{url}/v1", api_key="{key}")
agent = Agent(model=model, db=InMemoryDb(), add_history_to_context=True, telemetry=False)
for ask in asks:
    agent.run(ask, session_id="talk")
""",
    ),
    "AutoGen": Program(
        "autogen-agentchat",
        AUTOGEN.format(
            runs="AssistantAgent('a', client, tools=[lookup], reflect_on_tool_use=True)"
        ),
    ),
    "AutoGen, team": Program(
        "autogen-agentchat",
        AUTOGEN.format(runs="SelectorGroupChat(agents, client, termination_condition=end)"),
    ),
    "AutoGen, MagenticOne": Program(
        "autogen-agentchat", AUTOGEN.format(runs="MagenticOneGroupChat(agents, client)")
    ),
    "CrewAI": Program(
        "crewai",
        """
from crewai import Agent, LLM
llm = LLM(model="openai/coder", base_url="{url}/v1", api_key="{key}")
agent = Agent(role="helper", goal="help", backstory="You help.", llm=llm)
said = []
for ask in asks:
    said.append(dict(role="user", content=ask))
    said.append(dict(role="assistant", content=str(agent.kickoff(said))))
""",
        env=OPENAI,
    ),
    "Haystack": Program(
        "haystack-ai",
        """
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
generator, said = OpenAIChatGenerator(model="coder"), []
for ask in asks:
    said.append(ChatMessage.from_user(ask))
    said += generator.run(said)["replies"]
""",
        env=OPENAI,
    ),
    "Open Interpreter": Program(
        "open-interpreter",
        """
from interpreter import interpreter
interpreter.llm.model = "openai/coder"
interpreter.llm.api_base, interpreter.llm.api_key = "{url}/v1", "{key}"
interpreter.auto_run = interpreter.disable_telemetry = True
for ask in asks:
    interpreter.chat(ask, display=False)
""",
        env=OPENAI,
    ),
}
