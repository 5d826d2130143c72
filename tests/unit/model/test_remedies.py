"""What a person copies from a remedy is a command and nothing else."""

import pytest

from trtllm_install.model.remedies import fix_lines


@pytest.mark.parametrize(
    ("remedy", "lines"),
    [
        ("sudo reboot", ["fix: sudo reboot"]),
        (
            "sudo reboot (it resets the GPU)",
            ["fix: sudo reboot", "     (it resets the GPU)"],
        ),
        (
            "sudo trtllm-install engine add 1.3.0rc2, then install again",
            ["fix: sudo trtllm-install engine add 1.3.0rc2", "     then install again"],
        ),
        (
            "sudo trtllm-install --on-conflict replace; or move what was edited",
            ["fix: sudo trtllm-install --on-conflict replace", "     or move what was edited"],
        ),
        ("sudo uv  # or name one", ["fix: sudo uv", "     # or name one"]),
        (
            "stop it where it was started (sudo kill 545), or give qwen another port",
            ["fix: stop it where it was started (sudo kill 545), or give qwen another port"],
        ),
        (
            "write these lines into /etc/trtllm/site.yaml, then run sudo trtllm-install",
            ["fix: write these lines into /etc/trtllm/site.yaml, then run sudo trtllm-install"],
        ),
    ],
)
def test_each_command_is_a_line(remedy: str, lines: list[str]) -> None:
    assert fix_lines(remedy) == lines
