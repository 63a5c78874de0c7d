"""Python functions that a model may call: their schemas (`schema`), and running what it asks for (`toolbox`)."""
