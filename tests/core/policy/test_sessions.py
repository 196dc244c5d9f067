"""Names of conversations, for ``sticky: conversation``."""

from __future__ import annotations

from routellm_core.policy.conversations import session_of


def test_the_name_of_a_conversation_depends_on_each_part():
    names = {
        session_of("a", "b"),
        session_of("ab", ""),
        session_of("", "ab"),
        session_of("a", "b", ["c"]),
        session_of("a", "b", ["c", "d"]),
        session_of("a", "b", ["cd"]),
    }
    assert len(names) == 6
    assert session_of("a", "\ud800") == session_of("a", "\ud800")
    assert {len(name) for name in names} == {64}
