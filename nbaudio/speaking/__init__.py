"""A text that is spoken as it stands: by a speech endpoint, or word for word by a chat model."""
