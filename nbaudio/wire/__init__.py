"""The protocol, without I/O: what goes into a request, what comes out of an answer, and what errors mean."""
