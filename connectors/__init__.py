"""Mail systems behind one contract: read what changed, tag it, draft, send, wait for the next change."""
