"""The diagnosis: a gradient by hand taken apart into the mistakes that made it."""
