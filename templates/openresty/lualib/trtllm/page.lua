-- What the web page shows, as one JSON document that is made at most once a second,
-- however many pages are open.

local cjson = require "cjson"
local metrics = require "trtllm.metrics"
local reply = require "trtllm.reply"
local router = require "trtllm.router"
local shared = require "trtllm.shared"
local watch = require "trtllm.watch"

local dict = ngx.shared.trtllm
local KEY, KEPT_S = "page", 1
local HISTORY, HISTORY_KEPT_S = "page history", 5
local null = cjson.null

-- What the charts of a model show: rates a second, and null where nothing came.
local function charts_of(figures, period_s)
    local requests, tokens, first_token = {}, {}, {}
    for i, count in ipairs(figures.requests) do
        requests[i] = count / period_s
        tokens[i] = figures.tokens[i] / period_s
        local n = figures.first_n[i]
        first_token[i] = n > 0 and figures.first_s[i] / n or null
    end
    return { requests = requests, tokens = tokens, first_token = first_token }
end

local function history()
    local text = dict:get(HISTORY)
    if not text then
        local _, period_s, models = metrics.history()
        local charts = {}
        for id, figures in pairs(models) do
            charts[id] = charts_of(figures, period_s)
        end
        text = cjson.encode(charts)
        dict:set(HISTORY, text, HISTORY_KEPT_S)
    end
    return text
end

local function model_of(backend)
    local name = backend.name
    local view = shared.read_view(name)
    local file = backend.state_file and watch.read_state(backend.state_file) or {}
    local draining = shared.is_draining(name)
    return {
        name = name, id = backend.model, state = view.state, draining = draining,
        serving = view.serving and not draining, in_flight = shared.in_flight(name),
        words = view.detail or file.status or null,
        since = file.since or view.changed or null,
        progress = file.progress or null, load_seconds = file.load_seconds or null,
        attempt = file.attempt or null, exit = file.exit or null,
    }
end

-- Memory of the GPUs, as the launchers of this host were told by the driver.
local function gpus()
    local found, seen = {}, {}
    for _, backend in ipairs(router.backends) do
        local file = backend.state_file and watch.read_state(backend.state_file) or {}
        for _, gpu in ipairs(type(file.gpus) == "table" and file.gpus or {}) do
            if type(gpu) == "table" and not seen[gpu.gpu or 0] then
                seen[gpu.gpu or 0] = true
                found[#found + 1] = gpu
            end
        end
    end
    return #found > 0 and found or nil
end

local function overview()
    local models = {}
    for i, backend in ipairs(router.backends) do
        models[i] = model_of(backend)
    end
    local text = cjson.encode {
        host = ngx.var.hostname, time = ngx.now(), generation = shared.generation(),
        models = models, gpus = gpus(),
    }
    return text:sub(1, -2) .. ',"charts":' .. history() .. "}"
end

-- GET /overview.json
local function answer()
    local method = ngx.req.get_method()
    if method ~= "GET" and method ~= "HEAD" then
        return reply.send_error { status = 405, code = "method_not_allowed", allow = "GET, HEAD",
                                  message = "this path takes GET, HEAD only" }
    end
    local body = dict:get(KEY)
    if not body then
        body = overview()
        dict:set(KEY, body, KEPT_S)
    end
    return reply.send_json(200, body .. "\n")
end

return { answer = answer }
