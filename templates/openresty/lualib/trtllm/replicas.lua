-- Chooses among the backends of a model: the one with the fewest requests of those
-- that take any. When nobody listens at it, the next one is tried. A request that has
-- reached a backend stays there, whatever happens: it may have cost the GPU minutes.

local balancer = require "ngx.balancer"
local peer_keys = require "trtllm.peer_keys"
local router = require "trtllm.router"
local shared = require "trtllm.shared"
local sightings = require "trtllm.sightings"

-- Of several refusals the most hopeful is told.
local HOPE = { model_not_ready = 4, model_draining = 3, model_unavailable = 2, model_stopped = 1 }

local turn = 0 -- equally busy ones take turns

-- nginx has settled by then whether the request is sent by TLS, so another server that is
-- tried has to be spoken to in the same way.
local function is_like(backend, other)
    return not other or (backend.tls_name ~= nil) == (other.tls_name ~= nil)
end

local function least_busy(backends, tried, with_room, like)
    local best, best_load
    for i = 1, #backends do
        local backend = backends[(i + turn) % #backends + 1]
        if not (tried and tried[backend.name]) and is_like(backend, like)
            and not shared.block_of(backend.name) then
            local load = shared.load(backend.name)
            local has_room = not (with_room and backend.limit) or load < backend.limit
            if has_room and (not best or load < best_load) then
                best, best_load = backend, load
            end
        end
    end
    return best
end

-- Returns the backend to use, or nil, a backend that refuses and the refusal's code.
local function choose(model)
    local backends = model.backends
    local refuser = backends[1]
    local code = shared.block_of(refuser.name)
    if not backends[2] then
        if code then
            return nil, refuser, code
        end
        return refuser
    end
    turn = turn + 1
    local best = least_busy(backends)
    if best then
        return best
    end
    for i = 2, #backends do
        local other = shared.block_of(backends[i].name)
        if (HOPE[other] or 0) > (HOPE[code] or 0) then
            refuser, code = backends[i], other
        end
    end
    return nil, refuser, code or "model_unavailable"
end

-- Returns the least busy backend that is below its limit; nil if there is none.
local function with_room(model)
    return least_busy(model.backends, nil, true)
end

local function move(ctx, from)
    sightings.note_refused(from)
    sightings.note_error(from, "refused")
    local backends = ctx.model.backends
    local like = router.by_name[from]
    local to = least_busy(backends, ctx.tried, nil, like)
    if not to then -- it has been blocked since; every other one is no better
        for _, backend in ipairs(backends) do
            to = not ctx.tried[backend.name] and is_like(backend, like) and backend or to
        end
    end
    shared.leave(from)
    shared.enter(to.name)
    ctx.backend = to.name
    ngx.var.trtllm_upstream = to.name
    if to.tls_name then
        ngx.var.trtllm_tls_name = to.tls_name
    end
    local key = peer_keys.authorization(to)
    if key ~= ngx.var.trtllm_peer_key then
        ngx.var.trtllm_peer_key = key
        balancer.recreate_request() -- the headers have been put together already
    end
    return to.name
end

-- balancer phase of models with several backends: nginx comes again for each
-- connection that could not be made.
local function balance()
    local ctx = ngx.ctx
    local name = ctx.backend
    if ctx.tried then
        name = move(ctx, name)
    else
        ctx.tried = {}
    end
    ctx.tried[name] = true
    local backend = router.by_name[name]
    if least_busy(ctx.model.backends, ctx.tried, nil, backend) then
        balancer.set_more_tries(1)
    end
    local ok, problem = balancer.set_current_peer(backend.host, backend.port)
    if not ok then
        ngx.log(ngx.ERR, "cannot use the address of ", name, ": ", problem)
        return ngx.exit(ngx.ERROR)
    end
end

-- Returns whether a server that is spoken to in the other way would take the request.
local function has_unlike(backend)
    for _, other in ipairs(backend.of.backends) do
        if not is_like(other, backend) and not shared.block_of(other.name) then
            return true
        end
    end
    return false
end

return { has_unlike = has_unlike, choose = choose, with_room = with_room, balance = balance }
