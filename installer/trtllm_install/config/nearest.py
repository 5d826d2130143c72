"""What a word that is not known may have meant; loads no library, since quick verbs ask too."""


def near(word: str, known: list[str]) -> str:
    """Return what was probably meant; empty where nothing is like it."""
    from difflib import get_close_matches  # noqa: PLC0415 (only a mistake needs it)

    return next(iter(get_close_matches(word, known, n=1)), "")


def nearest(word: str, known: list[str]) -> str:
    """Return a clause that names what was probably meant, or what there is."""
    if close := near(word, known):
        return f"did you mean {close}?"
    return f"known: {', '.join(sorted(known))}" if known else "there is none"
