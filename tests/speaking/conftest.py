"""What one text leaves behind in the process, and another must not find."""

from __future__ import annotations

import pytest

from nbaudio.speaking import choosing, endpoint, recital
from nbaudio.spending import accounts
from nbaudio.spending.accounts import Account


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing kept, no server known to be mute, nothing spent."""
    notebook = Account()
    monkeypatch.setattr(choosing, "_missing", {})
    monkeypatch.setattr(recital, "_kept", {})
    monkeypatch.setattr(endpoint, "_without_events", set())
    monkeypatch.setattr(accounts, "notebook", notebook)
    monkeypatch.setattr("nbaudio.spending.ledger.notebook", notebook)
    monkeypatch.setattr(accounts, "_by_name", {})
