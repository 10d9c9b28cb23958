"""The roster and the counts that a principal reads. Reads the store; writes nothing."""
