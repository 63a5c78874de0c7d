"""The offline engine over a port, for the notebooks of a class: a queue, limits, a token and metrics around its app.

The app is the one that answers in process (`nbaudio.engine.app`); here is only what a server needs beyond it. Nothing
is imported before it is used; its packages come with ``nbaudio[serve]``.
"""
