local replicas = require "trtllm.replicas"
local router = require "trtllm.router"
local shared = require "trtllm.shared"

local dict = ngx.shared.trtllm
local MODEL = router.find("nvidia/Nemotron")

-- loads and blocks of nemotron, gpu2 and gpu3/a
local function set(loads, blocks)
    for i, backend in ipairs(MODEL.backends) do
        dict:set("total:" .. backend.name, loads[i])
        dict:set("block:" .. backend.name, blocks and blocks[i] or nil)
    end
end

local function tally(times)
    local counts = {}
    for _ = 1, times do
        local name = replicas.choose(MODEL).name
        counts[name] = (counts[name] or 0) + 1
    end
    return counts
end

return {
    ["the one with the fewest requests is chosen"] = function()
        set { 3, 1, 2 }
        assert(tally(5).gpu2 == 5)
    end,
    ["equally busy ones take turns"] = function()
        set { 2, 2, 2 }
        local counts = tally(30)
        assert(counts.nemotron == 10 and counts.gpu2 == 10 and counts["gpu3/a"] == 10)
    end,
    ["one that takes no requests is passed over"] = function()
        set({ 9, 0, 9 }, { nil, "model_draining", nil })
        local counts = tally(10)
        assert(counts.nemotron and counts["gpu3/a"] and not counts.gpu2)
    end,
    ["when none takes any the most hopeful refusal is told"] = function()
        set({ 0, 0, 0 }, { "model_stopped", "model_not_ready", "model_unavailable" })
        local none, refuser, code = replicas.choose(MODEL)
        assert(none == nil and refuser.name == "gpu2" and code == "model_not_ready")
        set({ 0, 0, 0 })
    end,
    ["a single backend is used whatever it does, and refuses for itself"] = function()
        local qwen = router.find("qwen")
        dict:set("block:qwen", nil)
        assert(replicas.choose(qwen).name == "qwen")
        dict:set("block:qwen", "model_draining")
        local none, refuser, code = replicas.choose(qwen)
        assert(none == nil and refuser.name == "qwen" and code == "model_draining")
        dict:set("block:qwen", nil)
    end,
    ["a difference between the counts is put right at the second look"] = function()
        dict:set("total:gpu2", 7)
        shared.settle_loads()
        assert(shared.load("gpu2") == 7)
        shared.settle_loads()
        assert(shared.load("gpu2") == 0)
    end,
}
