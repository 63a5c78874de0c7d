"""A conversation over one open connection: the person is answered at once, and may interrupt."""
