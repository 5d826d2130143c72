-- GET /metrics in Prometheus' text format 0.0.4, and the last quarter of an hour as JSON.

local cjson = require "cjson"
local engine_metrics = require "trtllm.engine_metrics"
local limits = require "trtllm.limits"
local metrics = require "trtllm.metrics"
local reply = require "trtllm.reply"
local router = require "trtllm.router"
local shared = require "trtllm.shared"

local dict = ngx.shared.trtllm_metrics
local escape = metrics.escape

local HELP = {
    trtllm_proxy_requests_total = "Requests to the paths of models; status 499: the client left.",
    trtllm_proxy_received_bytes_total = "Bytes of requests, headers included.",
    trtllm_proxy_sent_bytes_total = "Bytes of answers, headers included.",
    trtllm_proxy_client_aborts_total = "Requests whose client left before the end.",
    trtllm_proxy_tokens_total = "Generated tokens, as told; else the events of a stream.",
    trtllm_proxy_backend_errors_total = "Requests that a backend failed.",
    trtllm_proxy_request_seconds = "From the first byte of a request to the last of its answer.",
    trtllm_proxy_queue_seconds = "Waiting for a place at a backend.",
    trtllm_proxy_first_chunk_seconds = "From the first byte of a request to the first of the body.",
    trtllm_proxy_stream_seconds = "From the first chunk of a stream to its end.",
    trtllm_proxy_backend_up = "1 while the backend counts as healthy.",
    trtllm_proxy_backend_state = "1 for the state that the backend is in.",
    trtllm_proxy_in_flight = "Requests at the backend now.",
    trtllm_proxy_in_flight_limit = "Requests that the backend may have at once.",
    trtllm_proxy_waiting = "Requests that wait for a place.",
    trtllm_proxy_shared_free_bytes = "Whole pages that are free in the workers' shared memory.",
    trtllm_proxy_info = "The generation of the configuration that answers.",
}

local function family_of(name)
    local base = name:match("^[^{]+")
    return HELP[base] and base or base:gsub("_bucket$", ""):gsub("_sum$", ""):gsub("_count$", "")
end

local function add(lines, name, value)
    local family = family_of(name)
    local of_family = lines[family]
    if not of_family then
        of_family = {}
        lines[family] = of_family
    end
    of_family[#of_family + 1] = name .. " " .. value
end

local function add_counted(lines)
    for _, name in ipairs(dict:get_keys(0)) do
        local value = name:find("^trtllm_") and dict:get(name)
        if value then
            add(lines, name, string.format("%.15g", value))
        end
    end
end

local function add_backends(lines)
    for _, backend in ipairs(router.backends) do
        local labels = '{backend="' .. escape(backend.name) .. '",model="'
            .. escape(backend.of.id) .. '"'
        local view = shared.read_view(backend.name)
        local draining = shared.is_draining(backend.name)
        add(lines, "trtllm_proxy_backend_up" .. labels .. "}",
            view.serving and not draining and 1 or 0)
        add(lines, "trtllm_proxy_backend_state" .. labels .. ',state="'
            .. escape(draining and "draining" or view.state) .. '"}', 1)
        add(lines, "trtllm_proxy_in_flight" .. labels .. "}", shared.in_flight(backend.name))
        if backend.limit then
            add(lines, "trtllm_proxy_in_flight_limit" .. labels .. "}", backend.limit)
        end
    end
    for _, model in ipairs(router.models) do
        add(lines, 'trtllm_proxy_waiting{model="' .. escape(model.id) .. '"}',
            limits.waiting(model))
    end
    for _, name in ipairs { "trtllm", "trtllm_metrics" } do
        add(lines, 'trtllm_proxy_shared_free_bytes{dict="' .. name .. '"}',
            ngx.shared[name]:free_space())
    end
    add(lines, 'trtllm_proxy_info{generation="' .. router.generation .. '"}', 1)
end

-- Buckets by their bound, everything else by name.
local function rank(line)
    local bound = line:match('le="([^"]+)"')
    return (line:gsub(',le="[^"]*"', "")):match("^(.*) %S+$"), bound == "+Inf" and math.huge
        or tonumber(bound) or 0
end

local function before(a, b)
    local name_a, bound_a = rank(a)
    local name_b, bound_b = rank(b)
    if name_a ~= name_b then
        return name_a < name_b
    end
    return bound_a < bound_b
end

local function kind_of(family)
    if family:find("_total$") then
        return "counter"
    end
    return family:find("_seconds$") and "histogram" or "gauge"
end

local function render()
    metrics.flush()
    local lines, families, out = {}, {}, {}
    add_counted(lines)
    add_backends(lines)
    for family in pairs(lines) do
        families[#families + 1] = family
    end
    table.sort(families)
    for _, family in ipairs(families) do
        out[#out + 1] = "# HELP " .. family .. " " .. HELP[family]
        out[#out + 1] = "# TYPE " .. family .. " " .. kind_of(family)
        table.sort(lines[family], before)
        out[#out + 1] = table.concat(lines[family], "\n")
    end
    return table.concat(out, "\n") .. "\n" .. engine_metrics.merged()
end

-- With a key where there are keys (every location asks for one), else from this host:
-- numbers say who uses what.
local function may_read()
    local from = ngx.var.remote_addr
    return from:find("^127%.") or from == "::1" or from:find("^unix:")
        or (ngx.var.trtllm_key or "") ~= ""
end

-- GET /metrics
local function answer()
    local method = ngx.req.get_method()
    if method ~= "GET" and method ~= "HEAD" then
        return reply.send_error { status = 405, code = "method_not_allowed", allow = "GET, HEAD",
                                  message = "this path takes GET, HEAD only" }
    elseif not may_read() then
        return reply.send_error { status = 403, code = "forbidden",
                                  message = "metrics are for this host, or for a key" }
    end
    ngx.header["Content-Type"] = "text/plain; version=0.0.4; charset=utf-8"
    ngx.header["Cache-Control"] = "no-store"
    ngx.print(render())
end

-- GET /-/history
local function history()
    local from, period, models = metrics.history()
    return reply.send_json(200, cjson.encode {
        from = from, period_s = period, models = models,
    } .. "\n")
end

return { answer = answer, history = history }
