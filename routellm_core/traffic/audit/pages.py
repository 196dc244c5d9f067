"""An audit as Markdown, as one HTML page that needs nothing beside it, and as JSON."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

from ...checkpoints.store import write_whole
from ...errors import ConfigError
from ...version import __version__
from .plots import draw
from .result import Audit
from .run import Found
from .sections import Near, Table, headline, notes, tables, title

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; background: #fff; margin: 0 auto;
  max-width: 62rem; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.1rem; margin: 2.2rem 0 .5rem; }
.lead { background: #f2f6fa; border-left: 4px solid #0072B2; padding: .7rem 1rem; }
.lead p { margin: .35rem 0; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .92rem; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .28rem .8rem; border-bottom: 1px solid #e2e2e2;
  vertical-align: top; }
th { border-bottom: 2px solid #9a9a9a; font-weight: 600; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
table:not(.text) td { white-space: nowrap; }
table.text th, table.text td { text-align: left; overflow-wrap: anywhere; }
tr.chosen td { font-weight: 700; background: #fff6ea; }
img { max-width: 100%; height: auto; display: block; margin: .8rem 0; }
pre { background: #f5f5f5; padding: .8rem 1rem; overflow-x: auto; font-size: .88rem; }
ul { padding-left: 1.2rem; } footer { color: #666; font-size: .85rem; margin-top: 3rem; }
"""


_CODE = re.compile("`([^`]+)`")

CALIBRATION = "calibration.json"


def write_audit(folder: Path, found: Found, entry: str) -> list[str]:
    """Write all forms of an audit, the config entry, and the calibration file, if there is one.

    Args:
        folder: made if absent.
        found: what was found.
        entry: of a config, to paste.

    Returns:
        The names of the files.

    Raises:
        ConfigError: they cannot be written.
        MissingExtraError: matplotlib is not installed.
    """
    audit, skipped, near = found.audit, found.skipped, found.near
    files = {
        "audit.md": markdown_page(audit, skipped, entry, near),
        "audit.html": html_page(audit, skipped, entry, draw(audit), near),
        "audit.json": json_page(audit, skipped, near),
        "config_entry.yaml": entry.encode("utf-8", "replace"),
    }
    if found.calibration:
        files[CALIBRATION] = found.calibration.as_json().encode()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            write_whole(folder / name, content)
    except OSError as error:
        raise ConfigError(
            f"{folder} cannot be written ({error.strerror}): name another folder"
        ) from error
    return list(files)


def markdown_page(
    audit: Audit, skipped: Sequence[str], entry: str, near: Sequence[Near] = ()
) -> bytes:
    """Return an audit as Markdown.

    Args:
        audit: what was found.
        skipped: lines on rows that could not be read.
        entry: of a config, to paste.
        near: prompts near the threshold.
    """
    parts = [f"# {title(audit)}", *map(_escaped, headline(audit))]
    for table in tables(audit, near):
        parts += [f"## {table.title}", _markdown(table)]
    parts += ["## Config entry", f"```yaml\n{entry}```", "## How it was counted"]
    parts.append("\n".join(f"- {_escaped(line)}" for line in notes(audit, skipped)))
    parts.append(f"By routellm-plugins {__version__}.")
    return ("\n\n".join(parts) + "\n").encode("utf-8", "replace")


def html_page(
    audit: Audit,
    skipped: Sequence[str],
    entry: str,
    plots: Mapping[str, bytes],
    near: Sequence[Near] = (),
) -> bytes:
    """Return an audit as a page; arguments as for ``markdown_page``.

    Args:
        audit: what was found.
        skipped: lines on rows that could not be read.
        entry: of a config, to paste.
        plots: SVG, by what they show.
        near: prompts near the threshold.
    """
    name = escape(title(audit))
    body = [
        f"<h1>{name}</h1>",
        '<div class="lead">',
        *(f"<p>{_sentence(line)}</p>" for line in headline(audit)),
        "</div>",
        *(_image(shows, svg) for shows, svg in plots.items()),
    ]
    for table in tables(audit, near):
        body += [f"<h2>{escape(table.title)}</h2>", _html(table)]
    body += ["<h2>Config entry</h2>", f"<pre>{escape(entry)}</pre>", "<h2>How it was counted</h2>"]
    body += ["<ul>", *(f"<li>{_sentence(line)}</li>" for line in notes(audit, skipped)), "</ul>"]
    body.append(f"<footer>By routellm-plugins {escape(__version__)}.</footer>")
    # Nothing is fetched and nothing runs, whatever a name in the log holds.
    policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    head = (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
    )
    page = head + "\n".join(body) + "\n</body>\n</html>\n"
    return page.encode("utf-8", "replace")


def json_page(audit: Audit, skipped: Sequence[str], near: Sequence[Near] = ()) -> bytes:
    """Return all figures of an audit; arguments as for ``markdown_page``."""
    content: dict[str, Any] = {"routellm_audit": 1, **asdict(audit)}
    edges, first, later = content.pop("histogram")
    content["scores"] = {"edges": edges, "first_turns": first, "later_calls": later}
    content["nearest"] = [asdict(each) for each in near]
    content["skipped"] = list(skipped)
    return (json.dumps(_finite(content), indent=1, allow_nan=False) + "\n").encode()


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and math.isnan(value) else value


def _sentence(line: str) -> str:
    return _CODE.sub(r"<code>\1</code>", escape(line))


def _image(shows: str, svg: bytes) -> str:
    data = base64.b64encode(svg).decode()
    return f'<img alt="{escape(shows)}" src="data:image/svg+xml;base64,{data}">'


def _html(table: Table) -> str:
    head = "".join(f"<th>{escape(each)}</th>" for each in table.headings)
    rows = [
        ('<tr class="chosen">' if at == table.bold else "<tr>")
        + "".join(f"<td>{escape(cell)}</td>" for cell in row)
        + "</tr>"
        for at, row in enumerate(table.rows)
    ]
    kind = ' class="text"' if table.is_text else ""
    return "\n".join(
        [f'<div class="wide"><table{kind}>', f"<tr>{head}</tr>", *rows, "</table></div>"]
    )


def _markdown(table: Table) -> str:
    ends = ["---", *["---" if table.is_text else "---:"] * (len(table.headings) - 1)]
    lines = [table.headings, ends]
    for at, row in enumerate(table.rows):
        cells = [_escaped(cell).replace("`", "\\`") for cell in row]
        lines.append([f"**{cell}**" for cell in cells] if at == table.bold else cells)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _escaped(text: str) -> str:
    """Return a text that Markdown shows as it is; code in backquotes stays code."""
    for mark in ("\\", "|", "*", "_", "<", "[", "]"):
        text = text.replace(mark, f"\\{mark}")
    return text
