"""The offline engine's weights: what they are (`manifest`), and how they get here, whole or not at all.

`models` is what the other rooms use. A model's files come from `sources` tried in order: the model's own home
(`download`), or a package on the configured index (`package_index`); `store` keeps them.
"""
