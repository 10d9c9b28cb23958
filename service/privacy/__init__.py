"""What is kept of people, for how long, and how it is told, handed out and erased (docs/privacy.md)."""
