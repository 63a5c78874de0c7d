"""Searching words, and how what is old leaves."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import nbaudio as nba
from nbaudio.journal import reading, retention
from nbaudio.journal.coming import Coming
from nbaudio.journal.reading import snippet
from nbaudio.journal.store import Store
from nbaudio.journal.watcher import journal

SAID = [
    "Is a golden retriever a good family dog?",
    "They are loyal, gentle; 100% friendly.",
    "Und ein Pudel? Über Hunde weiß ich nichts.",
    "金毛犬是好的家庭犬吗",
    "snake_case and C:\\dogs\\new",
]


@pytest.fixture
def store(journal_file: Path) -> Store:
    chat = nba.Conversation()
    for words in SAID:
        chat.append(words)
    return journal.read(lambda store: store)


def found(store: Store, query: str) -> list[str]:
    return [row.words for row in reading.find(store, query, 20)]


@pytest.mark.parametrize("indexed", [True, False], ids=["index", "no index"])
@pytest.mark.parametrize(
    ("query", "places"),
    [
        ("retriever", [0]),
        ("RETRIEV", [0]),
        ("dog golden", [0]),
        ("dog poodle", []),
        ("dog", [4, 0]),
        ("family dog?", [0]),
        ("Pudel?", [2]),
        ("家庭", [3]),
        ("snake_case", [4]),
        ("100%", [1]),
        ("%", [1]),
        ("_", [4]),
        ("C:\\dogs", [4]),
        ("", []),
        (" \0 ", []),
    ],
)
def test_words_are_found(store: Store, indexed: bool, query: str, places: list[int]) -> None:
    assert store.indexed
    store.indexed = indexed
    assert found(store, query) == [SAID[place] for place in places]


def test_accents_and_case_do_not_matter_to_the_index(store: Store) -> None:
    assert found(store, "uber") == [SAID[2]]
    assert found(store, "ÜBER") == [SAID[2]]


@pytest.mark.parametrize(
    "query",
    [
        '"', '" OR "', "dog*", "NEAR(dog family)", "words:dog", "dog AND", "(dog", "-dog", "^dog", "a" * 100_000,
        "x " * 5000, "dog\0", "\ud800", "'; DROP TABLE turn; --", "{dog}", "NOT", "+", "ﬀ", "\u202edog",
    ],
)  # fmt: skip
def test_no_search_is_a_syntax_error(store: Store, query: str) -> None:
    for row in reading.find(store, query, 3):
        assert row.words in SAID
    assert found(store, "retriever")


def test_whatever_is_searched_for(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.sqlite3")
    store.put_chat("chat", "", "", {})
    store.put_turn("chat", nba.Turn("user", SAID[0]), 0, "kept")

    @given(st.text(st.characters(exclude_categories=())))
    def holds(query: str) -> None:
        assert found(store, query) in ([], [SAID[0]])

    holds()
    store.close()


def test_the_newest_come_first_and_each_once(store: Store) -> None:
    assert [row.words for row in reading.latest(store, 2)] == [SAID[4], SAID[3]]
    fork = nba.Conversation([nba.Turn("user", "dog again", id="same")])
    fork.append("x")
    fork.fork().append("y")
    assert found(store, "again") == ["dog again"]


def test_what_was_written_without_the_index_is_indexed_later(store: Store, journal_file: Path) -> None:
    store.indexed = False
    nba.Conversation().append("A dachshund.")
    journal.close()
    again = Store(journal_file)
    assert again.connection.execute("SELECT rowid FROM said WHERE said MATCH 'dachshund'").fetchone()
    again.close()


@pytest.mark.parametrize("query", ["needle", "NEEDLE x", "nowhere", ""])
def test_a_snippet_is_one_line_with_the_word_in_it(query: str) -> None:
    words = "word " * 100 + "needle\nin " + "hay " * 100
    line = snippet(words, query)
    assert len(line) <= 80
    assert "\n" not in line
    assert ("needle" in line) == query.lower().startswith("needle")
    assert snippet("short\ntext", query) == "short text"


# -- what is old ------------------------------------------------------------------------------------------


def sounding(number: int) -> nba.Turn:
    return nba.Turn("user", f"turn {number}", (nba.Clip.from_pcm16(bytes([number]) * 100_000),))


def age(store: Store, which: str, days: float) -> None:
    store.connection.execute(f"UPDATE turn SET written = written - ? WHERE words = '{which}'", (days * 86_400,))


def test_what_is_older_than_some_days_goes_when_the_journal_is_opened(
    journal_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = nba.Conversation()
    for number in range(3):
        chat.append(sounding(number))
    nba.Conversation().append("turn 9")
    journal.read(lambda store: [age(store, "turn 0", 40), age(store, "turn 1", 20), age(store, "turn 9", 40)])
    journal.close()
    nba.NbAudio.instance().journal_days = 30
    assert [found.words for found in nba.history.latest()] == ["turn 2", "turn 1"]
    assert len(nba.history.chats()) == 1
    assert journal.read(lambda store: store.connection.execute("SELECT count(*) FROM sound").fetchone()) == (2,)
    chat.append("It goes on.")
    assert nba.history.search("goes")


def test_the_oldest_goes_where_there_is_too_much(journal_file: Path) -> None:
    chat = nba.Conversation()
    for number in range(120):
        chat.append(sounding(number))
    chat.append("the last")
    journal.close()
    assert journal_file.stat().st_size > 12_000_000
    nba.NbAudio.instance().journal_mb = 5
    kept = [found.words for found in nba.history.latest(1000)]
    assert kept[0] == "the last"
    assert 10 < len(kept) < 50
    assert kept[1:] == [f"turn {number}" for number in range(119, 119 - len(kept) + 1, -1)]
    journal.close()
    assert journal_file.stat().st_size < 5_000_000


@pytest.mark.parametrize("seconds", [4.0, 20.0])
def test_no_more_goes_than_has_to(journal_file: Path, seconds: float) -> None:
    chat = nba.Conversation()
    frames = round(24_000 * seconds)
    for number in range(10):
        chat.append(nba.Turn("user", f"turn {number}", (nba.Clip.from_pcm16(bytes([number, 1]) * frames),)))
        chat.append(nba.Reply(text=f"answer {number}"))
    journal.close()
    nba.NbAudio.instance().journal_mb = 1
    kept = [found.words for found in nba.history.latest(1000)]
    fit = 900_000 // (2 * frames)  # the tables take some room too
    assert (
        kept[: 2 * fit + 1] == [f"{who} {9 - place}" for place in range(10) for who in ("answer", "turn")][: len(kept)]
    )
    assert 2 * fit < len(kept) <= 2 * fit + 3


def test_a_sound_stays_as_long_as_a_turn_has_it(journal_file: Path) -> None:
    first, second = nba.Conversation(), nba.Conversation()
    first.append(sounding(1))
    second.append(nba.Turn("user", "the same sound", sounding(1).clips))
    journal.read(lambda store: age(store, "turn 1", 40))
    assert nba.history.clear(older_than_days=30) == 1
    assert nba.history.latest()[0].turn.clip == sounding(1).clip


def test_what_is_cleared_is_no_longer_in_the_file(journal_file: Path) -> None:
    chat = nba.Conversation(name="secretchat")
    chat.append(nba.Turn("user", "xyzzysecret", (nba.Clip.from_pcm16(b"secretsound!" * 1000),)))
    chat.append("plugh")

    def everything() -> bytes:
        return b"".join(file.read_bytes() for file in journal_file.parent.iterdir())

    assert b"xyzzysecret" in everything()
    assert nba.history.clear() == 2
    for secret in (b"xyzzysecret", b"secretsound!secretsound!", b"plugh", b"secretchat"):
        assert secret not in everything()
    assert nba.history.search("xyzzysecret") == []
    chat.append("afterwards")  # the conversation goes on, and only what is new is written
    assert [found.words for found in nba.history.latest()] == ["afterwards"]


def test_a_part_that_is_cleared_is_no_longer_in_the_file_either(journal_file: Path) -> None:
    chat = nba.Conversation()
    chat.append("xyzzysecret")
    chat.append("stays")
    journal.read(lambda store: age(store, "xyzzysecret", 3))
    assert nba.history.clear(older_than_days=2) == 1
    assert b"xyzzysecret" not in b"".join(file.read_bytes() for file in journal_file.parent.iterdir())
    assert [found.words for found in nba.history.latest()] == ["stays"]


def test_pieces_of_a_question_that_was_cleared_are_let_go(journal_file: Path) -> None:
    chat, question = nba.Conversation(), nba.Turn("user", "Hm?")
    journal.asked(chat, question)
    nba.history.clear()
    journal.came(question, nba.TextDelta("late"))
    assert journal.read(lambda store: store.connection.execute("SELECT count(*) FROM piece").fetchone()) == (0,)


def test_the_size_is_of_what_is_in_use(tmp_path: Path) -> None:
    store = Store(tmp_path / "journal.sqlite3")
    assert retention._size(store) < 200_000
    coming = Coming(store, 1)
    coming.take([nba.TextDelta("of no question")])
    with pytest.raises(sqlite3.IntegrityError):
        coming.write()
    store.close()
