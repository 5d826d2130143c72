"""What a word that is not known may have meant; loads no library, since quick verbs ask too."""


def nearest(word: str, known: list[str]) -> str:
    """Return a clause that names what was probably meant, or what there is."""
    from difflib import get_close_matches  # noqa: PLC0415 (only a mistake needs it)

    close = get_close_matches(word, known, n=1)
    if close:
        return f"did you mean {close[0]}?"
    return f"known: {', '.join(sorted(known))}" if known else "there is none"
