"""Connecting mailboxes: asks what a mail system needs, keeps the secrets, and tries every permission by using it."""
