"""A connector for JMAP, the open protocol of Fastmail, Stalwart, Cyrus and Apache James (RFC 8620, 8621, 9404)."""

from alliance_jmap.mailbox import JmapMailbox

__all__ = ["JmapMailbox"]
