"""The Integrations page: what it says of each way of mail, and what its buttons do."""

import re

import pytest

from tests.page import Page


def test_a_new_user_sees_where_to_forward_to_and_what_isnt_set_up(page: Page) -> None:
    text = page.browser("richard").text("/integrations")
    for shown in (
        "richard@demo.example.net",
        "log@demo.example.net",
        "No forwarding yet",
        "Google isn&#39;t connected",
    ):
        assert shown in text
