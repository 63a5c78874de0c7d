"""The engine over a port: its queue, limits, token and metrics, its end, and many at once."""
