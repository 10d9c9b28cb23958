"""A term and a half of the sample school's life, made up by a seed and lived through with the real service."""
