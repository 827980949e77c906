"""What an executor says, and when it is sent."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Iterator

import pytest

from agi_env.runtime.executor_link import ExecutorLink
from agi_env.runtime.frames import FrameDecoder, Message, encode


class Parent:
    """The other end of the link."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        end.setblocking(False)

    def heard(self) -> list[Message]:
        try:
            return list(FrameDecoder().feed(self.end.recv(65536)))
        except BlockingIOError:
            return []

    def say(self, *messages: Message) -> None:
        for message in messages:
            self.end.send(encode(message))


@pytest.fixture
def ends() -> Iterator[tuple[ExecutorLink, Parent]]:
    ours, theirs = socket.socketpair()
    with ours:
        link = ExecutorLink(theirs.detach())
        yield link, Parent(ours)
        link.close()


def test_what_is_put_off_goes_with_the_next(ends: tuple[ExecutorLink, Parent]) -> None:
    link, parent = ends
    link.put_off({"op": "finished"})
    assert parent.heard() == []
    link.send({"op": "began"})
    assert parent.heard() == [{"op": "finished"}, {"op": "began"}]


def test_it_stays_put_off_while_there_is_more_to_do(ends: tuple[ExecutorLink, Parent]) -> None:
    link, parent = ends
    parent.say({"op": "work", "n": 1}, {"op": "work", "n": 2})
    assert link.receive() == {"op": "work", "n": 1}
    link.put_off({"op": "finished"})
    assert link.receive() == {"op": "work", "n": 2}
    assert parent.heard() == []


def test_it_is_sent_before_waiting(ends: tuple[ExecutorLink, Parent]) -> None:
    link, parent = ends
    link.put_off({"op": "finished"})
    waiting = threading.Thread(target=link.receive)
    waiting.start()
    assert select.select([parent.end], [], [], 20)[0]
    assert parent.heard() == [{"op": "finished"}]
    parent.say({"op": "stop"})
    waiting.join(20)
    assert not waiting.is_alive()


def test_a_stop_overtakes(ends: tuple[ExecutorLink, Parent]) -> None:
    link, parent = ends
    parent.say({"op": "work"}, {"op": "stop"})
    assert link.receive() == {"op": "stop"}
