"""Each day's sums: kept beyond the kernel, by several kernels at once, and for their owner only."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import pytest

from nbaudio.errors import NbaudioWarning, SetupError
from nbaudio.prices import Cost
from nbaudio.spending import day_totals
from nbaudio.spending.day_totals import DayTotals
from nbaudio.spending.estimate import Toll

TOLL = Toll(100, Cost(Decimal("0.0001234561")), 1.5)


def test_they_add_up_and_last(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "day.sqlite3"
    assert DayTotals(path).today() == Toll()
    DayTotals(path).add(TOLL)
    DayTotals(path).add(Toll(1, Cost(Decimal(0), 1), 0.5))
    today = DayTotals(path).today()
    assert (today.tokens, today.sound_s, today.cost.unknown) == (101, 2.0, 1)
    assert today.cost.usd == Decimal("0.000123457")  # to the billionth of a dollar, never less


def test_another_day_begins_at_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    totals = DayTotals(tmp_path / "day.sqlite3")
    totals.add(TOLL)
    monkeypatch.setattr(day_totals, "_today", lambda: "2099-01-01")
    assert totals.today() == Toll()


def test_each_notebook_has_sums_of_its_own_and_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    totals = DayTotals(tmp_path / "day.sqlite3")
    for path in ("dogs.ipynb", "cats.ipynb", "dogs.ipynb", ""):
        monkeypatch.setenv("JPY_SESSION_NAME", path)
        totals.add(TOLL)
    assert [totals.of_notebook(path).tokens for path in ("dogs.ipynb", "cats.ipynb", "birds.ipynb")] == [200, 100, 0]
    assert totals.today().tokens == 400
    assert b"ipynb" not in (tmp_path / "day.sqlite3").read_bytes()


def test_a_file_of_days_alone_gets_notebooks_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "day.sqlite3"
    with closing(sqlite3.connect(path)) as older, older:
        older.execute(
            "CREATE TABLE day (date TEXT PRIMARY KEY, tokens INTEGER NOT NULL, nano_usd INTEGER NOT NULL,"
            " unknown INTEGER NOT NULL, sound_s REAL NOT NULL)"
        )
        older.execute("INSERT INTO day VALUES (?, 7, 0, 0, 0.0)", (day_totals._today(),))
    monkeypatch.setenv("JPY_SESSION_NAME", "dogs.ipynb")
    DayTotals(path).add(TOLL)
    assert (DayTotals(path).today().tokens, DayTotals(path).of_notebook("dogs.ipynb").tokens) == (107, 100)


def test_the_day_is_that_of_this_machines_time_zone(monkeypatch: pytest.MonkeyPatch) -> None:
    assert day_totals._today() == time.strftime("%Y-%m-%d", time.localtime())


@pytest.mark.skipif(os.name == "nt", reason="Windows has other rights")
def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    path = tmp_path / "nbaudio" / "day.sqlite3"
    DayTotals(path).add(TOLL)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_several_kernels_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "day.sqlite3"
    code = (
        "import sys; from pathlib import Path\n"
        "from nbaudio.spending.day_totals import DayTotals; from nbaudio.spending.estimate import Toll\n"
        "totals = DayTotals(Path(sys.argv[1])); input()\n"
        "for _ in range(50): totals.add(Toll(1))"
    )
    kernels = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(path)], stdin=subprocess.PIPE)
        for _ in range(3)
    ]
    for kernel in kernels:  # let go together
        assert kernel.stdin is not None
        kernel.stdin.write(b"\n")
        kernel.stdin.flush()
    for kernel in kernels:
        kernel.communicate(timeout=60)
        assert kernel.returncode == 0
    assert DayTotals(path).today().tokens == 150


def test_many_answers_that_end_at_once_are_written_in_one_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    totals, tolls = DayTotals(tmp_path / "day.sqlite3"), []
    write = DayTotals._write
    monkeypatch.setattr(DayTotals, "_write", lambda self, toll: (tolls.append(toll.tokens), write(self, toll)))
    with ThreadPoolExecutor(20) as pool:
        with totals._adding:  # as while one of them is written
            done = [pool.submit(totals.add, Toll(1)) for _ in range(20)]
            while len(totals._waiting) < 20:
                assert not any(future.done() for future in done)
        for future in done:
            future.result(10)
    assert tolls == [20]
    assert totals.today().tokens == 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks")
def test_a_fork_does_not_wait_for_who_is_not_in_it(tmp_path: Path) -> None:
    code = (
        "import os, sys\n"
        "from nbaudio.spending.day_totals import day_totals; from nbaudio.spending.estimate import Toll\n"
        "day_totals()._adding.acquire()\n"  # as another thread does that writes
        "if child := os.fork(): sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
        "day_totals().add(Toll(1)); os._exit(day_totals().today().tokens)"
    )
    path = tmp_path / "day.sqlite3"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "NBAUDIO_DAY_TOTALS": str(path)}, timeout=20, check=False
    )
    assert done.returncode == 1


def test_a_file_that_is_none_is_said_and_stops_no_answer(tmp_path: Path) -> None:
    path = tmp_path / "day.sqlite3"
    path.write_bytes(b"this is no database, and never was one" * 100)
    totals = DayTotals(path)
    with pytest.warns(NbaudioWarning, match="Today's total can't be written"):
        totals.add(TOLL)
    totals.add(TOLL)  # the warning comes once
    with pytest.raises(SetupError, match="Move that file away"):
        totals.today()
    assert path.read_bytes().startswith(b"this is no database")


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    totals = DayTotals(tmp_path / "file" / "day.sqlite3")
    with pytest.warns(NbaudioWarning):
        totals.add(TOLL)
    with pytest.raises(SetupError):
        totals.today()
