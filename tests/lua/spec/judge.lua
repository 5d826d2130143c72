local judge = require("trtllm.judge").judge

local function seen(changes)
    local base = { probe = "ok", was_ok = true, failures = 0, in_flight = 0, quiet_s = 1e9,
                   now = 1000 }
    for key, value in pairs(changes) do
        base[key] = value
    end
    return base
end

local function expect(view, state, serving, block)
    assert(view.state == state, "state is " .. tostring(view.state))
    assert(view.serving == serving, "serving is " .. tostring(view.serving))
    assert(view.block == block, "block is " .. tostring(view.block))
end

return {
    ["a backend without a launcher is judged by its probe"] = function()
        expect(judge(seen {}), "healthy", true, nil)
        expect(judge(seen { probe = "refused", was_ok = false }), "down", false,
               "model_unavailable")
    end,
    ["a backend that was never asked is unknown and still tried"] = function()
        local view = judge { failures = 0, in_flight = 0, quiet_s = 0, now = 0 }
        expect(view, "unknown", false, nil)
    end,
    ["one timeout before the first answer is not health"] = function()
        expect(judge(seen { probe = "timeout", was_ok = false, failures = 1 }), "unknown",
               false, nil)
    end,
    ["every state before healthy refuses requests as not ready"] = function()
        for _, state in ipairs { "waiting", "admission", "backoff", "loading", "warming" } do
            expect(judge(seen { file = { state = state }, probe = "refused" }), state, false,
                   "model_not_ready")
        end
    end,
    ["a server that answers while its launcher warms it up is not ready"] = function()
        expect(judge(seen { file = { state = "warming" } }), "warming", false, "model_not_ready")
    end,
    ["healthy and busy count as healthy"] = function()
        expect(judge(seen { file = { state = "healthy" } }), "healthy", true, nil)
        expect(judge(seen { file = { state = "busy" } }), "busy", true, nil)
    end,
    ["a suspect is not healthy but keeps its requests"] = function()
        expect(judge(seen { file = { state = "suspect" } }), "suspect", false, nil)
    end,
    ["one refused connection outweighs what the launcher wrote"] = function()
        expect(judge(seen { file = { state = "healthy" }, probe = "refused", failures = 1 }),
               "down", false, "model_unavailable")
    end,
    ["two timeouts change nothing, three mean unresponsive"] = function()
        local file = { state = "healthy" }
        expect(judge(seen { file = file, probe = "timeout", failures = 2 }), "healthy", true, nil)
        expect(judge(seen { file = file, probe = "timeout", failures = 3 }), "unresponsive",
               false, "model_unavailable")
    end,
    ["bytes that flow outweigh failing probes"] = function()
        local view = judge(seen { file = { state = "healthy" }, probe = "timeout", failures = 9,
                                  in_flight = 1, quiet_s = 3 })
        expect(view, "healthy", true, nil)
    end,
    ["requests without bytes for long do not outweigh failing probes"] = function()
        local view = judge(seen { probe = "timeout", failures = 9, in_flight = 1, quiet_s = 31 })
        expect(view, "unresponsive", false, "model_unavailable")
    end,
    ["busy is the launcher's word and needs no probe"] = function()
        expect(judge(seen { file = { state = "busy" }, probe = "timeout", failures = 9 }),
               "busy", true, nil)
    end,
    ["stopped and failed are not worth a retry"] = function()
        for _, state in ipairs { "stopped", "failed" } do
            local view = judge(seen { file = { state = state }, probe = "refused" })
            expect(view, state, false, "model_stopped")
            assert(view.retry_after == nil)
        end
    end,
    ["retry after is what is left of the load, between 2 and 60 seconds"] = function()
        local function after(file)
            file.state = file.state or "loading"
            return judge(seen { file = file }).retry_after
        end
        assert(after { load_seconds = 30, since = 990 } == 20)
        assert(after { load_seconds = 600, since = 990 } == 60)
        assert(after { load_seconds = 5, since = 900 } == 2)
        assert(after { load_seconds = require("cjson").null, since = 900 } == 10)
        assert(after { state = "waiting", load_seconds = 30, since = 0 } == 10)
        assert(after { expected_at = 1041.5, load_seconds = 30, since = 990 } == 42)
        assert(after { state = "waiting", expected_at = 1007 } == 7)
        assert(after { state = "warming", expected_at = 990 } == 2)
    end,
    ["the launcher's words are passed on"] = function()
        local view = judge(seen { file = { state = "loading", status = "shard 3 of 9" } })
        assert(view.detail == "shard 3 of 9")
    end,
    ["a state nobody knows leaves the word to the probe"] = function()
        expect(judge(seen { file = { state = "dancing" } }), "healthy", true, nil)
    end,
}
