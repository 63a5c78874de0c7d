"""How requests travel: the one room that knows httpx.

OpenAI, another server and the offline engine differ only in the transport under one client.
"""
