"""Where everything in a picture goes: our own layered layout."""
