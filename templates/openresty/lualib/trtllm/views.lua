-- What the proxy says about its backends. Everything is answered from memory.

local reply = require "trtllm.reply"
local router = require "trtllm.router"
local shared = require "trtllm.shared"

local quote = reply.quote
local CREATED = ngx.time() -- loaded in the master: the same in every worker

local function takes(methods)
    reply.check_request_id()
    local method = ngx.req.get_method()
    if methods[method] then
        return true
    end
    reply.send_error {
        status = 405, code = "method_not_allowed", allow = methods.allow,
        message = "this path takes " .. methods.allow .. " only",
    }
    return false
end

local READ = { GET = true, HEAD = true, allow = "GET, HEAD" }

local function state_of(name)
    local view = shared.read_view(name)
    if shared.is_draining(name) then
        view.state, view.serving, view.detail = "draining", false, "drained by an operator"
    end
    return view
end

local function describe(view)
    local detail = view.detail and ',"detail":' .. quote(view.detail) or ""
    return '{"state":' .. quote(view.state) .. detail .. "}"
end

-- GET /health: 200 only while every backend can serve.
local function health()
    if not takes(READ) then
        return
    end
    local parts, all_serve = {}, true
    for i, upstream in ipairs(router.upstreams) do
        local view = state_of(upstream.name)
        all_serve = all_serve and view.serving
        parts[i] = quote(upstream.name) .. ":" .. describe(view)
    end
    return reply.send_json(all_serve and 200 or 503,
        '{"status":"' .. (all_serve and "healthy" or "unhealthy")
        .. '","backends":{' .. table.concat(parts, ",") .. "}}\n")
end

-- GET /livez: the proxy itself.
local function livez()
    if takes(READ) then
        return reply.send_json(200, '{"status":"alive"}\n')
    end
end

-- GET /readyz?model=ID: one backend. Without a model it is /health.
local function readyz()
    local model = ngx.req.get_uri_args(10).model
    if type(model) ~= "string" or model == "" then
        return health()
    elseif not takes(READ) then
        return
    end
    local upstream = router.find(model)
    if not upstream then
        return reply.send_error(router.unknown_model(model))
    end
    local view = state_of(upstream.name)
    return reply.send_json(view.serving and 200 or 503,
        '{"status":"' .. (view.serving and "ready" or "not_ready") .. '","backend":'
        .. quote(upstream.name) .. ',"state":' .. quote(view.state) .. "}\n")
end

local function model_card(id, upstream)
    local view = state_of(upstream.name)
    return '{"id":' .. quote(id) .. ',"object":"model","created":' .. CREATED
        .. ',"owned_by":"trtllm","ready":' .. tostring(view.serving)
        .. ',"state":' .. quote(view.state) .. "}"
end

-- GET /v1/models: the profile's ids, also of backends that are not ready.
local function models()
    if not takes(READ) then
        return
    end
    local cards = {}
    for _, upstream in ipairs(router.upstreams) do
        for _, id in ipairs(upstream.ids) do
            cards[#cards + 1] = model_card(id, upstream)
        end
    end
    return reply.send_json(200, '{"object":"list","data":[' .. table.concat(cards, ",") .. "]}\n")
end

-- GET /v1/models/{id}; ids contain slashes.
local function model()
    if not takes(READ) then
        return
    end
    local wanted = ngx.var.uri:sub(#"/v1/models/" + 1)
    local upstream, id = router.find_listed(wanted)
    if not upstream then
        return reply.send_error(router.unknown_model(wanted))
    end
    return reply.send_json(200, model_card(id, upstream) .. "\n")
end

return { health = health, livez = livez, readyz = readyz, models = models, model = model }
