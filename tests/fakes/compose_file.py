"""The compose file of somebody who comes from there."""

# The shape of the deployment that this project replaces, written from its documentation.
THREE_PROFILES = """
x-engine: &engine
  image: tensorrt-llm/release:1.3.0rc2
  restart: unless-stopped
  ports: ["127.0.0.1:8000:8000"]
  environment: [NVIDIA_VISIBLE_DEVICES=all]
services:
  trtllm-qwen:
    <<: *engine
    profiles: [qwen]
    command: >-
      trtllm-serve /models/nvidia/Qwen3-30B-A3B-FP4 --backend _autodeploy
      --config /etc/qwen.yaml --host 0.0.0.0
    volumes: [~/model_weights:/models:ro, ./qwen.yaml:/etc/qwen.yaml:ro]
  trtllm-nemotron:
    <<: *engine
    profiles: [nemotron]
    command: [trtllm-serve, serve, /models/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4,
      --backend=_autodeploy, --trust_remote_code, --reasoning_parser, deepseek-r1,
      --extra_llm_api_options, /etc/nano_v3.yaml, --host, 0.0.0.0]
    volumes: [~/model_weights:/models:ro, ./nano_v3.yaml:/etc/nano_v3.yaml:ro]
  trtllm-multi-nemotron:
    <<: *engine
    profiles: [multi]
    ports: []
    depends_on: {trtllm-multi-qwen: {condition: service_healthy}}
    command: [trtllm-serve, /models/nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-NVFP4,
      --backend, _autodeploy, --trust_remote_code, --reasoning_parser, deepseek-r1,
      --extra_llm_api_options, /etc/nano_v3.yaml]
    volumes: [~/model_weights:/models:ro, ./nano_v3.yaml:/etc/nano_v3.yaml:ro]
  trtllm-multi-qwen:
    <<: *engine
    profiles: [multi]
    ports: []
    command: [trtllm-serve, /models/nvidia/Qwen3-30B-A3B-FP4, --backend, _autodeploy,
      --extra_llm_api_options, /etc/qwen_multi.yaml]
    volumes: [~/model_weights:/models:ro, ./qwen_multi.yaml:/etc/qwen_multi.yaml:ro]
  trtllm-multi-proxy:
    image: openresty/openresty:alpine
    profiles: [multi]
    ports: ["127.0.0.1:8000:8000"]
    depends_on: [trtllm-multi-qwen, trtllm-multi-nemotron]
"""
