"""The version of the library, which files that it writes carry."""

VERSION = "0.1.0"
