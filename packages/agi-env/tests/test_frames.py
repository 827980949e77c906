from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agi_env.errors import InternalError
from agi_env.runtime.frames import FrameDecoder, encode

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
messages = st.dictionaries(st.text(), json_values)


@settings(max_examples=50)
@given(st.lists(messages, max_size=5), st.data())
def test_messages_survive_a_stream_that_is_cut_anywhere(
    sent: list[dict[str, Any]], data: st.DataObject
) -> None:
    stream = b"".join(encode(message) for message in sent)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=8))
    decoder = FrameDecoder()
    edges = sorted([0, *cuts, len(stream)])
    received = [
        message for start, end in pairwise(edges) for message in decoder.feed(stream[start:end])
    ]
    assert received == sent


@pytest.mark.parametrize(
    "stream", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x02{]", b"\x00\x00\x00\x01\xff", b"\0\0\0\x011"]
)
def test_what_is_no_frame_is_refused(stream: bytes) -> None:
    with pytest.raises(InternalError):
        list(FrameDecoder().feed(stream))
