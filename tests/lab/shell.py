"""Shell scripts of documents as the commands in them, word by word, with nothing run."""

import re
import shlex
from collections.abc import Iterator

_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1([^\n]*)\n.*?^\2$", re.MULTILINE | re.DOTALL)
_INNER = re.compile(r"\$\(([^()]*)\)")
_WORDS_OF_THE_SHELL = {"if", "then", "else", "elif", "fi", "do", "done", "while", "until", "!"}
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def commands_of(script: str) -> list[list[str]]:
    """Return the words of each command, those within ``$(...)`` too; no assignment, no redirection.

    Understands what documents need: quotes, continued lines, comments, lists, pipes, one
    ``case``, and here-documents, whose text is left out.
    """
    flat = _without_comments(_HEREDOC.sub(r"\3", script))
    found = []
    for inner in _INNER.findall(flat):
        found += commands_of(inner)
    lexer = shlex.shlex(_INNER.sub("0", flat), posix=True, punctuation_chars="();<>|&\n")
    lexer.whitespace = " \t"
    lexer.whitespace_split = True
    lexer.commenters = ""
    words: list[str] = []
    tokens = iter(lexer)
    for token in tokens:
        if set(token) <= set("<>&") and token != "&" and set(token) & set("<>"):
            if words and words[-1].isdigit():
                words.pop()
            next(tokens, "")
        elif token.startswith(")"):  # the end of a pattern of a case, or of a subshell
            words = []
        elif set(token) <= set("();<>|&\n"):
            found += _command(words)
            words = []
        else:
            words.append(token)
    return found + list(_command(words))


def program_of(words: list[str]) -> list[str]:
    """Return a command without ``sudo`` and its options, and without the Python that runs it."""
    if words and words[0] == "sudo":
        words = words[1:]
        while words and (words[0].startswith("-") or _ASSIGNMENT.match(words[0])):
            words = words[1:]
    if len(words) > 1 and words[0].endswith("/bin/python") and words[1].endswith("/trtllm-install"):
        words = words[1:]
    return words


def _command(words: list[str]) -> Iterator[list[str]]:
    while words and (words[0] in _WORDS_OF_THE_SHELL or _ASSIGNMENT.match(words[0])):
        words = words[1:]
    if words and words[0] not in {"case", "esac"}:
        yield words


def _without_comments(script: str) -> str:
    """Return the script with continued lines joined and comments gone, quotes untouched."""
    out: list[str] = []
    quote = ""
    i = 0
    while i < len(script):
        at = script[i]
        if not quote and at == "\\" and script[i + 1 : i + 2] == "\n":
            out.append(" ")
            i += 2
            continue
        if not quote and at == "#" and (not out or out[-1] in " \t\n;"):
            while i < len(script) and script[i] != "\n":
                i += 1
            continue
        if at in "'\"" and quote in {"", at}:
            quote = "" if quote else at
        out.append(at)
        i += 1
    return "".join(out)
