"""Reads a family's newest text and says how soon and by whom it wants an answer. Local; nothing leaves the machine."""
