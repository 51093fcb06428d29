"""Serves HTTP in one process of `mailweir-web`, with waitress, on a socket that the parent opened.

A client that sends slowly holds a connection but no thread, and its request has to arrive in time. Before the process ends, it
answers the requests that it has. Called by `server`.
"""

import logging
import os
import signal
import socket
import time
from contextlib import suppress
from typing import Any

import flask
import waitress
from waitress import wasyncore
from waitress.channel import HTTPChannel

from mailweir.guardian import BEAT_SECONDS
from webapp import forms

STOP_SECONDS = 8.0  # for the requests that have arrived
CONNECTIONS = 800  # below the 1,024 files that a process may open
IDLE_SECONDS = 60  # until a connection on which nothing arrives is closed
HEAD_SECONDS = 20.0  # the limit for sending a request; a larger one gets more, by the next line
SLOWEST_BYTES_A_SECOND = 10_000
# An answer to a slow client waits in a file and holds no thread. The largest answers are messages and their files
_WAITING_ANSWER_BYTES = 200_000_000
_TURN_SECONDS = 0.25


class Server:
    """listening: the socket, which other processes use, too. threads: how many requests are answered at a time."""

    def __init__(self, app: flask.Flask, listening: socket.socket, threads: int, *, is_https: bool) -> None:
        # waitress warns of "Task queue depth" at each burst of requests, and that is no fault
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._map: dict[int, Any] = {}
        self._is_ending = False
        self._begun_at: dict[HTTPChannel, tuple[object, float]] = {}
        self._server = waitress.create_server(
            app,
            map=self._map,
            sockets=[listening],
            threads=threads,
            ident=None,
            max_request_body_size=forms.MAX_UPLOAD_BYTES,
            url_scheme="https" if is_https else "http",
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE_SECONDS,
            outbuf_high_watermark=_WAITING_ANSWER_BYTES,
            asyncore_use_poll=True,
        )

    def run(self, beat: int) -> None:
        """Serves until SIGTERM or SIGINT, and then answers the requests that have arrived. beat: the descriptor that
        shows the guardian that this process is alive."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        os.set_blocking(beat, False)
        beats_at = 0.0
        while not self._is_ending:
            self._turn()
            if time.monotonic() >= beats_at:
                with suppress(BlockingIOError):  # the pipe is full, because the guardian itself is stopped
                    os.write(beat, b".")
                beats_at = time.monotonic() + BEAT_SECONDS
        self._finish()

    def _end(self, *_: object) -> None:
        self._is_ending = True
        self._server.pull_trigger()

    def _turn(self) -> None:
        wasyncore.loop(timeout=_TURN_SECONDS, use_poll=True, map=self._map, count=1)
        self._end_slow_ones()

    def _channels(self) -> list[HTTPChannel]:
        return list(self._server.active_channels.values())

    def _end_slow_ones(self) -> None:
        """Closes the connections of clients that take too long to send their request."""
        now, before = time.monotonic(), self._begun_at
        self._begun_at = {}
        for channel in self._channels():
            request = channel.request
            if request is None:
                continue
            known, begun_at = before.get(channel, (None, now))
            begun_at = begun_at if known is request else now
            self._begun_at[channel] = request, begun_at
            if now - begun_at > HEAD_SECONDS + request.body_bytes_received / SLOWEST_BYTES_A_SECOND:
                channel.will_close = True

    def _finish(self) -> None:
        """Answers the requests that have arrived, and accepts no new ones."""
        self._server.accepting = False
        deadline = time.monotonic() + STOP_SECONDS
        while self._channels() and time.monotonic() < deadline:
            for channel in self._channels():
                if not channel.requests and not channel.total_outbufs_len:
                    channel.will_close = True
            wasyncore.loop(timeout=_TURN_SECONDS, use_poll=True, map=self._map, count=1)
