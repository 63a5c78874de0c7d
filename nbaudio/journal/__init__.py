"""The journal: all that is said, written to one SQLite file while it is said.

Where the file is (`place`), its tables (`schema`), what is written to them (`store`, `long_sounds`) and read
(`reading`, `loading`, `found`), how old things leave it (`retention`), what can go wrong with it (`trouble`), and who
writes it: `watcher`, with `coming` for answers that still come, and `alongside` for recordings that are still spoken.
"""
