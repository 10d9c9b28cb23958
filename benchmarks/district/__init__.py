"""A district's mailboxes at a simulated provider, worked on by `alliance worker`: how late, how dear."""
