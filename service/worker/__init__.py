"""A district's workers: any number of processes, on any machines, that share the mailboxes through PostgreSQL."""
