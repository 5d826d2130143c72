-- Rendered by trtllm-install: which backend serves which model. Data only.
return {
    generation = "0",
    binary = "nginx",
    admin_socket = "/run/trtllm/proxy-admin.sock",
    keys_file = "/etc/trtllm/proxy-keys",
    peer_keys_file = "/etc/trtllm/peer-keys",
    tls_files = {  },
    engine_metrics = false,
    backends = {
        {
            name = "qwen",
            host = "127.0.0.1",
            port = 8001,
            model = "nvidia/Qwen3-30B-A3B-FP4",
            upstream = "backend-1", -- in nginx.conf
            state_file = "/run/trtllm/qwen.json",
        },
        {
            name = "nemotron",
            host = "127.0.0.1",
            port = 8002,
            model = "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4",
            upstream = "backend-2", -- in nginx.conf
            state_file = "/run/trtllm/nemotron.json",
        },
    },
    -- In the order of the profile: the first that fits gets the request.
    models = {
        {
            ids = { "nvidia/Qwen3-30B-A3B-FP4" },
            contains = { "qwen" }, -- in lower case
            backends = { 1 }, -- places in the list above
        },
        {
            ids = { "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4" },
            contains = { "nemotron" }, -- in lower case
            backends = { 2 }, -- places in the list above
        },
    },
}
