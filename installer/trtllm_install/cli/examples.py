"""One or two lines for each verb that a person can copy, shown by its ``--help``."""

EXAMPLES: dict[str, tuple[str, ...]] = {
    "install": (
        "sudo trtllm-install --profile multi",
        "sudo trtllm-install --profile multi --simulate",
    ),
    "check": (
        "sudo trtllm-install check --profile multi --smoke",
        "trtllm-install check --only weights-missing",
    ),
    "plan": (
        "trtllm-install plan --profile multi",
        "trtllm-install plan --profile multi --memory",
    ),
    "status": ("trtllm-install status --watch",),
    "verify": ("sudo trtllm-install verify",),
    "wait": ("trtllm-install wait --timeout 900 qwen",),
    "start": ("sudo trtllm-install start",),
    "stop": ("sudo trtllm-install stop nemotron",),
    "restart": ("sudo trtllm-install restart qwen",),
    "logs": ("sudo trtllm-install logs qwen -f",),
    "timeline": ("trtllm-install timeline --svg start.svg",),
    "drain": ("sudo trtllm-install drain qwen", "sudo trtllm-install drain --list"),
    "undrain": ("sudo trtllm-install undrain qwen",),
    "keys add": ("sudo trtllm-install keys add laptop",),
    "keys set": (
        "sudo trtllm-install keys set <keys.txt",
        "sudo trtllm-install keys set --plan --exclusive <keys.txt",
    ),
    "keys list": ("sudo trtllm-install keys list",),
    "keys remove": ("sudo trtllm-install keys remove laptop",),
    "tls set": ("sudo trtllm-install tls set <fullchain-and-key.pem",),
    "engine add": (
        "sudo trtllm-install engine add 1.3.0rc2 --index URL",
        "sudo trtllm-install engine add mine --path /srv/venv",
    ),
    "engine list": ("trtllm-install engine list",),
    "engine use": ("sudo trtllm-install engine use 1.3.0rc2",),
    "engine remove": ("sudo trtllm-install engine remove 1.3.0rc1",),
    "bundle create": ("sudo trtllm-install bundle create host.tar --engine 1.3.0rc2",),
    "bundle verify": ("trtllm-install bundle verify host.tar",),
    "bundle unpack": ("trtllm-install bundle unpack host.tar ./unpacked",),
    "render": ("trtllm-install render ./tree --profile multi",),
    "from-compose": (
        "trtllm-install from-compose compose.yml",
        "sudo trtllm-install from-compose compose.yml --write /etc/trtllm",
    ),
    "rollback": ("sudo trtllm-install rollback --list", "sudo trtllm-install rollback"),
    "uninstall": ("sudo trtllm-install uninstall --dry-run", "sudo trtllm-install uninstall"),
    "doctor report": ("sudo trtllm-install doctor report",),
    "doctor proxy": ("trtllm-install doctor proxy",),
}


def examples_text(verb: str) -> str:
    """Return the examples of a verb as the end of its help, empty without any."""
    lines = EXAMPLES.get(verb, ())
    head = "example" if len(lines) == 1 else "examples"
    return "\n".join((f"{head}:", *(f"  {line}" for line in lines))) if lines else ""
