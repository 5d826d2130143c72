-- What the proxy says about its backends. Everything is answered from memory.

local keys = require "trtllm.keys"
local reply = require "trtllm.reply"
local router = require "trtllm.router"
local shared = require "trtllm.shared"

local quote = reply.quote
local CREATED = ngx.time() -- loaded in the master: the same in every worker

local function takes(methods)
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

-- What the launcher says is not for everybody.
local function describe(view)
    local detail = view.detail and keys.knows() and ',"detail":' .. quote(view.detail) or ""
    return '{"state":' .. quote(view.state) .. detail .. "}"
end

-- Returns the view of the backend that speaks for the model, and its name: the first
-- that can serve, else the first.
local function spokesman(model)
    for _, backend in ipairs(model.backends) do
        local view = state_of(backend.name)
        if view.serving then
            return view, backend.name
        end
    end
    return state_of(model.backends[1].name), model.backends[1].name
end

-- GET /health: 200 only while every model can be served; "degraded" when one has lost
-- a backend and has another.
local function health()
    if not takes(READ) then
        return
    end
    local parts, word = {}, "healthy"
    for i, backend in ipairs(router.backends) do
        local view = state_of(backend.name)
        word = view.serving and word or "degraded"
        parts[i] = quote(backend.name) .. ":" .. describe(view)
    end
    for _, model in ipairs(router.models) do
        word = spokesman(model).serving and word or "unhealthy"
    end
    return reply.send_json(word == "unhealthy" and 503 or 200,
        '{"status":"' .. word .. '","backends":{' .. table.concat(parts, ",") .. "}}\n")
end

-- GET /livez: the proxy itself.
local function livez()
    if takes(READ) then
        return reply.send_json(200, '{"status":"alive"}\n')
    end
end

-- GET /readyz?model=ID: one model. Without a model it is /health.
local function readyz()
    local wanted = ngx.req.get_uri_args(10).model
    if type(wanted) ~= "string" or wanted == "" then
        return health()
    elseif not takes(READ) then
        return
    end
    local model = router.find(wanted)
    if not model then
        return reply.send_error(router.unknown_model(wanted))
    end
    local view, name = spokesman(model)
    return reply.send_json(view.serving and 200 or 503,
        '{"status":"' .. (view.serving and "ready" or "not_ready") .. '","backend":'
        .. quote(name) .. ',"state":' .. quote(view.state) .. "}\n")
end

local function model_card(id, model)
    local view = spokesman(model)
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
    for _, served in ipairs(router.models) do
        for _, id in ipairs(served.ids) do
            cards[#cards + 1] = model_card(id, served)
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
    local found, id = router.find_listed(wanted)
    if not found then
        return reply.send_error(router.unknown_model(wanted))
    end
    return reply.send_json(200, model_card(id, found) .. "\n")
end

return { health = health, livez = livez, readyz = readyz, models = models, model = model }
