"""Judged by others: the served engine by clients that nobody here wrote, and nbaudio as a client by such servers."""
