-- Rendered by trtllm-install: which backend serves which model. Data only.
return {
    generation = "0",
    admin_socket = "/run/trtllm/proxy-admin.sock",
    upstreams = {
        {
            name = "qwen",
            host = "127.0.0.1",
            port = 8001,
            ids = { "nvidia/Qwen3-30B-A3B-FP4" },
            contains = { "qwen" }, -- in lower case
            state_file = "/run/trtllm/qwen.json",
        },
        {
            name = "nemotron",
            host = "127.0.0.1",
            port = 8002,
            ids = { "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4" },
            contains = { "nemotron" }, -- in lower case
            state_file = "/run/trtllm/nemotron.json",
        },
    },
}
