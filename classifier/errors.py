"""What can go wrong between us and the files of the classifier."""


class ModelError(Exception):
    """A model could not be loaded or saved. The text says which, why, and what to do."""


class ExamplesError(Exception):
    """Labelled messages could not be read. The text says in which file and line, what is wrong and what is expected."""
