"""Which test follows which document; each block that can be run is run in exactly one of them."""

from typing import Final

HOWTO: Final = "docs/howto/"
REFERENCE: Final = "docs/reference/"

# Test module to the documents that its reader follows on its host.
STORIES: Final = {
    "test_documents.py": (
        "README.md",
        f"{HOWTO}dgx-spark.md",
        f"{HOWTO}drift.md",
        f"{HOWTO}first-install.md",
        f"{HOWTO}gpu-host.md",
        f"{HOWTO}images.md",
        f"{HOWTO}migrate-from-compose.md",
        f"{HOWTO}monitoring.md",
        f"{HOWTO}offline.md",
        f"{HOWTO}open-to-the-network.md",
        f"{HOWTO}own-profile.md",
        f"{HOWTO}troubleshooting.md",
        f"{HOWTO}two-gpus.md",
        f"{HOWTO}upgrade.md",
        f"{REFERENCE}exit-codes.md",
        f"{REFERENCE}json-output.md",
        f"{REFERENCE}profiles.md",
        f"{REFERENCE}proxy.md",
        f"{REFERENCE}simulated-engine.md",
    ),
    "test_documents_supervisord.py": (f"{HOWTO}run-without-systemd.md",),
    "test_tools_ansible.py": ("ansible/README.md",),
}
