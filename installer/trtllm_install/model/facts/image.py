"""A tree that is no machine yet."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFacts:
    """What is known of an image beside what any host says."""

    folder: str
    tool: bool  # the launcher is in it
    weights: tuple[str, ...] = ()  # instances whose weights are not in it
