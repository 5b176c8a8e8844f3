"""The conformance kit: a primitive held against everything that the engine expects of it."""
