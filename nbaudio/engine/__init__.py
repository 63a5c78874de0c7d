"""The offline engine: hear, think and speak on this machine, behind the protocol's own HTTP API.

Nothing here is imported before it is used; its packages come with ``nbaudio[offline]``.
"""
