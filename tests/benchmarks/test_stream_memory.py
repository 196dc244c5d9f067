"""What files of many prompts cost in memory: rows are read, scored and written as they come."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from .measure import in_fresh_process

PROMPTS = 300_000
MOST_MB = 300

COMMANDS = {
    "calibrate, JSON lines": "calibrate --router mf --prompts {lines} --strong-share .3",
    "score, JSON lines": "score --file {lines} --out {folder}/scores.jsonl",
    "score, parquet": "score --file {parquet} --out {folder}/scores.parquet",
}

CODE = """
import contextlib, io, json, sys, time
from routellm_plugins.cli import main
sys.argv = ["routellm", *{arguments!r}]
start = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    main_ended = None
    try:
        main()
    except SystemExit as end:
        main_ended = end.code
with open("/proc/self/status") as status:
    peak = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
seconds = time.perf_counter() - start
print(json.dumps({{"code": main_ended, "peak_mb": peak, "seconds": seconds}}))
"""


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    folder = tmp_path_factory.mktemp("many")
    prompts = [f"Which of {at} and {at * 7 % 1000} is the larger number?" for at in range(PROMPTS)]
    found = {"folder": folder, "lines": folder / "p.jsonl", "parquet": folder / "p.parquet"}
    with found["lines"].open("w") as out:
        out.writelines(f'{{"prompt": "{prompt}"}}\n' for prompt in prompts)
    # One row group: it must not be in memory as a whole either.
    parquet.write_table(arrow.table({"prompt": prompts}), found["parquet"], row_group_size=PROMPTS)
    return found


@pytest.mark.timeout(600)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("name", COMMANDS)
def test_memory_of_many_prompts(benchmark, report, files, name):
    arguments = COMMANDS[name].format(**files).split()
    cost = benchmark.pedantic(in_fresh_process, (CODE.format(arguments=arguments),), rounds=1)
    assert cost["code"] in (0, None)
    rate = PROMPTS / cost["seconds"]
    report(name, f"{cost['peak_mb']:.0f} MB", f"{PROMPTS:,} prompts, {rate:,.0f} a second")
    assert cost["peak_mb"] <= MOST_MB
