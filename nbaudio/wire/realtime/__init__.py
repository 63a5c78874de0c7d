"""The Realtime protocol (its GA form): what a session is set to, and the events of both sides, as values."""
