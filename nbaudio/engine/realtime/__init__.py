"""The engine's side of Realtime: a spoken conversation in which either may break in, over a socket or in process.

The events are those of OpenAI's Realtime protocol, the GA shape:
https://platform.openai.com/docs/api-reference/realtime. What the engine makes of them is in docs/offline.md.
"""
