-- What only this machine may ask: served on a unix socket of the service's user.

local keys = require "trtllm.keys"
local limits = require "trtllm.limits"
local reply = require "trtllm.reply"
local router = require "trtllm.router"
local shared = require "trtllm.shared"
local sightings = require "trtllm.sightings"

local quote = reply.quote

-- GET /-/generation. Once a new generation is heard here, every request that comes
-- from then on meets it.
local function generation()
    local served, marks = shared.generation()
    return reply.send_json(200, '{"generation":' .. quote(served) .. ',"keys":' .. quote(marks[1])
        .. ',"peer_keys":' .. quote(marks[2]) .. ',"certificate":' .. quote(marks[3]) .. "}\n")
end

-- GET /-/key: a key for this host's own requests, null where none is asked for.
local function key()
    local made = keys.make_local()
    return reply.send_json(200, '{"key":' .. (made and quote(made) or "null") .. "}\n")
end

local function describe(backend)
    local name = backend.name
    local view = shared.read_view(name)
    local bytes_at, failure = sightings.last(name)
    return '{"model":' .. quote(backend.model)
        .. ',"peer":' .. (backend.peer and quote(backend.peer) or "null")
        .. ',"state":' .. quote(view.state)
        .. ',"detail":' .. (view.detail and quote(view.detail) or "null")
        .. ',"serving":' .. tostring(view.serving)
        .. ',"draining":' .. tostring(shared.is_draining(name))
        .. ',"in_flight":' .. shared.in_flight(name)
        .. ',"limit":' .. (backend.limit or "null")
        .. ',"changed":' .. (view.changed or "null")
        .. ',"last_bytes":' .. (bytes_at or "null")
        .. ',"last_error":' .. (failure and '{"at":' .. failure.at
            .. ',"code":' .. quote(failure.code)
            .. ',"request_id":' .. quote(failure.request_id) .. "}" or "null") .. "}"
end

-- GET /-/status
local function status()
    local parts = {}
    for i, backend in ipairs(router.backends) do
        parts[i] = quote(backend.name) .. ":" .. describe(backend)
    end
    local lines = {}
    for i, model in ipairs(router.models) do
        lines[i] = quote(model.id) .. ':{"waiting":' .. limits.waiting(model)
            .. ',"queue":' .. (model.queue or "null") .. "}"
    end
    return reply.send_json(200, '{"generation":' .. quote(shared.generation())
        .. ',"backends":{' .. table.concat(parts, ",")
        .. '},"models":{' .. table.concat(lines, ",") .. "}}\n")
end

-- POST /-/drain?name=NAME and /-/undrain?name=NAME, of a backend or of all that a peer
-- serves. A drain holds until it is taken
-- back or the proxy stops; running requests are not touched.
local function set_draining(draining)
    if ngx.req.get_method() ~= "POST" then
        return reply.send_error { status = 405, code = "method_not_allowed", allow = "POST",
                                  message = "this path takes POST only" }
    end
    local name = ngx.req.get_uri_args(10).name
    local backends = type(name) == "string" and router.named(name) or {}
    if not backends[1] then
        return reply.send_error { status = 404, code = "backend_not_found", param = "name",
                                  message = "there is no such backend" }
    end
    local in_flight = 0
    for _, backend in ipairs(backends) do
        shared.set_draining(backend.name, draining)
        in_flight = in_flight + shared.in_flight(backend.name)
    end
    return reply.send_json(200, '{"name":' .. quote(name) .. ',"draining":' .. tostring(draining)
        .. ',"in_flight":' .. in_flight .. "}\n")
end

local function drain()
    return set_draining(true)
end

local function undrain()
    return set_draining(false)
end

return { generation = generation, key = key, status = status, drain = drain, undrain = undrain }
