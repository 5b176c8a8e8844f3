"""Damage done to the bytes of a file."""

from hypothesis import strategies as st

positions = st.one_of(st.integers(0, 60), st.integers(0, 10_000))  # the header is where it hurts
mutations = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), positions, st.integers(1, 255)),
        st.tuples(st.just("insert"), positions, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("truncate"), positions, st.none()),
        st.tuples(st.just("extend"), st.none(), st.binary(min_size=1, max_size=300)),
    ),
    min_size=1,
    max_size=4,
)


def mutate(content: bytes, changes: list[tuple]) -> bytes:
    for kind, position, value in changes:
        at = (position or 0) % (len(content) + 1)
        if kind == "flip":
            content = content[:at] + bytes([byte ^ value for byte in content[at : at + 1]]) + content[at + 1 :]
        elif kind == "insert":
            content = content[:at] + value + content[at:]
        elif kind == "truncate":
            content = content[:at]
        else:
            content += value
    return content
