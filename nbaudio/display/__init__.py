"""What a notebook shows and keeps: static HTML, Markdown and plain text, with every text escaped.

The HTML must live through JupyterLab's sanitizer, which notebooks that are not trusted pass through: it keeps
``src`` on ``<audio>`` itself, ``title``, ``<figure>``, ``<details>`` and plain inline styles, and strips
``<source src>``, ``aria-*``, ``role``, ``<style>``, CSS ``var()`` and SVG (measured with the sanitizer that
JupyterLab 4 publishes; ``tests/display/test_sanitizer.py`` runs it).
"""
