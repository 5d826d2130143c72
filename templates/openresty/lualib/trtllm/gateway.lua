-- The way of one request: which backend, may it go there, count it in and out.

local body = require "trtllm.body"
local keys = require "trtllm.keys"
local limits = require "trtllm.limits"
local metrics = require "trtllm.metrics"
local peer_keys = require "trtllm.peer_keys"
local problems = require "trtllm.problems"
local replicas = require "trtllm.replicas"
local reply = require "trtllm.reply"
local router = require "trtllm.router"
local routes = require "routes"
local shared = require "trtllm.shared"
local silence = require "trtllm.silence"
local sightings = require "trtllm.sightings"

local IS_LOGGED = routes.access_log
local MODEL_IN_LOG = 128

local function refuse_method(allow)
    return reply.send_error {
        status = 405, code = "method_not_allowed", allow = allow,
        message = "this path takes " .. allow .. " only",
    }
end

-- What the filters and the log phase know of the request. With all its fields from the
-- beginning, the table never grows.
local function new_notes()
    return {
        backend = false, first_at = false, events = false, tail = false, before = false,
        was_flushed = false,
    }
end

-- For the access log, and for the counts of requests that reach no backend.
local function note_model(wanted)
    ngx.var.trtllm_model = #wanted > MODEL_IN_LOG and wanted:sub(1, MODEL_IN_LOG) or wanted
end

-- Sends the request to a backend, or answers itself. A function of its own: LuaJIT
-- compiles it in one piece, which it cannot do with what follows the wait for a body.
local function route(wanted)
    local notes = new_notes()
    ngx.ctx = notes
    local model = router.find(wanted)
    if IS_LOGGED or not model or model.queue then
        note_model(wanted)
    end
    if not model then
        return reply.send_error(router.unknown_model(wanted))
    end
    local backend, refuser, block
    if model.queue then
        backend, refuser, block = limits.admit(model)
    else
        backend, refuser, block = replicas.choose(model)
    end
    if not backend then
        note_model(wanted)
        return reply.send_error(refuser and problems.about_block(refuser.name, block)
                                or limits.about(model, block))
    elseif not model.queue then
        shared.enter(backend.name)
    end
    local name, var = backend.name, ngx.var
    if model.backends[2] then
        notes.model = model
        var.trtllm_pool = "replicas"
        var.trtllm_upstream = name
    else
        var.trtllm_pool = backend.upstream
        if IS_LOGGED then
            var.trtllm_upstream = name
        end
    end
    if backend.peer then
        var.trtllm_peer_key = peer_keys.authorization(backend)
        if backend.tls_name then
            var.trtllm_scheme, var.trtllm_tls_name = "https", backend.tls_name
        end
    end
    notes.backend = name
    sightings.note_request(name)
end

-- access phase of the POST paths: sets $trtllm_pool or answers itself.
local function route_by_model()
    if not keys.demand() then
        return
    end
    if ngx.req.get_method() ~= "POST" then
        return refuse_method("POST")
    end
    local verdict, wanted = body.read_model()
    if verdict == "string" then
        return route(wanted)
    elseif verdict == "too_long" then
        return reply.send_error(router.unknown_model(wanted))
    end
    return reply.send_error(problems.about_body(verdict))
end

-- access phase of /v1/responses/{id}. Engines keep responses in their own memory
-- and the id does not say whose it is: nginx asks each backend until one knows it.
local function route_by_response()
    if not keys.demand() then
        return
    end
    local method = ngx.req.get_method()
    if method ~= "GET" and method ~= "DELETE" then
        return refuse_method("GET, DELETE")
    end
    ngx.req.discard_body()
end

-- log phase of every request, also of aborted ones. A request that ends in an error
-- page has lost its ngx.ctx by now; the variables stay.
local function count_out()
    local ctx = ngx.ctx
    local backend = router.by_name[ctx.backend] or router.sent_to()
    if backend then
        shared.leave(backend.name)
        limits.freed(backend)
        metrics.record(backend.of.id, ctx, silence.is_on and silence.forget())
    elseif ngx.req.get_method() == "POST" then
        limits.forget()
        local model = router.find(ngx.var.trtllm_model or "")
        metrics.record(model and model.id or "", ctx)
    end
end

-- No server could be reached, by TLS or without, and one that is spoken to in the other way
-- may be: sends the request there. Nothing of it has gone to anybody. What has refused takes no
-- request until a health check has found it well, so this comes to an end.
local function go_again()
    local var, backend = ngx.var, router.sent_to()
    if not backend or (var.trtllm_path or "") == "" or problems.has_connected()
        or not replicas.has_unlike(backend) then
        return
    end
    sightings.note_error(backend.name, "refused")
    sightings.note_refused(backend.name)
    shared.leave(backend.name)
    limits.freed(backend)
    var.trtllm_scheme, var.trtllm_peer_key = "http", ""
    ngx.req.set_method(ngx.HTTP_POST) -- an error page is got,
    ngx.status = 200 -- and its status would stay
    return ngx.exec(var.trtllm_path)
end

-- content of the error location: nginx has ended the request with a status.
local function answer_error()
    if ngx.status == 502 then
        go_again()
    end
    return reply.send_error(problems.about_status(ngx.status))
end

-- content of every path that is not on the list.
local function answer_unknown_path()
    return reply.send_error {
        status = 404, code = "not_found",
        message = "there is no such path here: " .. reply.shown(ngx.var.uri, 200),
    }
end

return {
    route_by_model = route_by_model, route_by_response = route_by_response,
    count_out = count_out,
    answer_error = answer_error, answer_unknown_path = answer_unknown_path,
}
