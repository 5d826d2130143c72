"""trtllm-supervise: gate, probe, drain, classify, back off."""
