"""The program that stands at an engine's bin/trtllm-serve."""

import pytest

from trtllm_install.simulator.program import engine_program


def test_the_program_names_its_python_and_says_simulated() -> None:
    first, *rest = engine_program("/opt/trtllm/tool/bin/python").splitlines()
    assert first == "#!/opt/trtllm/tool/bin/python"
    assert "Simulated" in rest[0]
    compile("\n".join(rest), "trtllm-serve", "exec")


@pytest.mark.parametrize("python", ["python", "/a folder/python", "/" + "x" * 300, ""])
def test_a_python_that_cannot_stand_in_a_first_line_is_refused(python: str) -> None:
    with pytest.raises(ValueError, match="cannot make an engine program"):
        engine_program(python)
