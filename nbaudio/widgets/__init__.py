"""Player and Recorder: live widgets (anywidget), each of which leaves a static output behind.

`player.py` and `recorder.py` are the kernel's side; ``static/`` holds the browser's, plain ES modules. Each side states
the messages that pass between them at its top.
"""
