"""Inputs that are small in idea and large in bytes: a few words of a language, repeated until they fill the size.

What is only slow for long inputs is found this way and by no shorter one: a parser that takes the square of what it is
given takes an hour for a megabyte, and nothing for a page.
"""

from random import Random

from tests.hostile.targets import Target


def pumped(target: Target, random: Random, size: int) -> bytes:
    """One input of about `size` bytes. The same `random`, the same input."""
    parts: list[bytes] = []
    for _ in range(random.choice((1, 1, 2, 3))):
        parts.append(_some(target, random, 0, 4))
        core = _some(target, random, 1, 4)
        times = size // (3 * len(core)) + 1
        if random.random() < 0.3:  # each a little different from the last: names, boundaries, identifiers
            parts.extend(core.replace(b"1", b"%d" % number).replace(b"b", b"b%d" % number) for number in range(times))
        else:
            parts.append(core * times)
    parts.append(_some(target, random, 0, 3))
    return b"".join(parts)[:size]


def damaged(target: Target, random: Random) -> bytes:
    """A sound example with words of the language, cuts and bytes put in anywhere."""
    seed = bytearray(random.choice(target.seeds()))
    for _ in range(random.randint(1, 8)):
        at, cut = random.randint(0, len(seed)), random.choice((0, 0, 1, 5, 40))
        put = random.choice((_some(target, random, 1, 3), random.randbytes(random.randint(0, 6))))
        seed[at : at + cut] = put
    return bytes(seed)


def _some(target: Target, random: Random, least: int, most: int) -> bytes:
    return b"".join(random.choice(target.words) for _ in range(random.randint(least, most)))
