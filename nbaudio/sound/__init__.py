"""Sound: `clip` is a piece of it, `codecs` turn bytes into samples and back; where clips come from and lie."""
