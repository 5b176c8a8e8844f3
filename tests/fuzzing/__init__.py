"""Random programs against numeric derivatives and JAX; the README beside this file tells how."""
