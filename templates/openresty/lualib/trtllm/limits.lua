-- How many requests a backend may have at once, and who waits for a place.
--
-- A backend with a `limit` never has more requests than that, all workers together.
-- What finds no place waits: a bounded line for each model, first come first served
-- among the requests of one client, and turn by turn among clients. Each worker keeps
-- its own part of the line and tells the others the tag of its first one; the smallest
-- of all is the next to go. Old workers that end after a reload share the names of the
-- new ones: for that moment two clients may go in the wrong order.
--
-- Tags: the request of a client gets the tag after that client's last one, but none
-- smaller than what is being served now. So the tenth request of one client stands
-- behind the first of another, and a client that was silent has nothing in store.

local semaphore = require "ngx.semaphore"
local replicas = require "trtllm.replicas"
local router = require "trtllm.router"
local shared = require "trtllm.shared"

local dict = ngx.shared.trtllm
local HEAD_LOOKS_S = 0.02 -- a place that another worker has freed is found so fast
local HEAD_LEASE_S = 0.2 -- and what a dead worker has told is forgotten after this
local OTHERS_LOOK_S = 1
-- A semaphore does not wait for less, and ngx.now() stands still until something waits.
local MIN_WAIT_S = 0.001
local SERVICE_S = 2 -- a guess, until a request has been measured
local MAX_HINT_S = 60 -- OpenAI's older clients ignore what is above

local lines, arrivals = {}, 0
for _, model in ipairs(router.models) do
    local id = model.id
    lines[model] = {
        model = model, name = shared.line_name(model), waiting = {}, clients = {},
        head = "head:" .. id .. ":", served = "served:" .. id, service = "service:" .. id,
        tag = "tag:" .. id .. ":",
    }
end

local function client()
    local var = ngx.var
    local key = var.trtllm_key
    return key and key ~= "" and "key " .. key or var.remote_addr
end

-- Returns a backend with a place taken, or nil and, where none takes requests at all,
-- the one that says so and the code of its refusal.
local function take(model)
    local backend, refuser, code = replicas.choose(model)
    if not backend then
        return nil, refuser, code
    end
    backend = replicas.with_room(model)
    if backend and shared.enter(backend.name) > (backend.limit or math.huge) then
        shared.leave(backend.name) -- another worker was faster
        backend = nil
    end
    return backend
end

local function tell_first(line)
    local first, key = line.waiting[1], line.head .. (ngx.worker.id() or 0)
    if first then
        dict:set(key, first.tag, HEAD_LEASE_S)
    else
        dict:delete(key)
    end
    return first
end

local function wake_first(line)
    local first = line.waiting[1]
    if first then
        first.bell:post(1)
    end
end

local function join(line, who)
    local last = dict:get(line.tag .. who) or 0
    local tag = math.max(last, dict:get(line.served) or 0) + 1
    arrivals = arrivals + 1
    local me = { client = who, tag = tag, arrival = arrivals, bell = semaphore.new(0),
                 line = line }
    local place = #line.waiting + 1
    while place > 1 and line.waiting[place - 1].tag > tag do
        place = place - 1
    end
    table.insert(line.waiting, place, me)
    line.clients[who] = (line.clients[who] or 0) + 1
    dict:set(line.tag .. who, tag, line.model.wait_s + 60)
    shared.enter(line.name)
    return me
end

local function leave(me)
    local line = me.line
    for place, other in ipairs(line.waiting) do
        if other == me then
            table.remove(line.waiting, place)
            break
        end
    end
    shared.leave(line.name)
    local left = line.clients[me.client] - 1
    line.clients[me.client] = left > 0 and left or nil
    if left == 0 then
        dict:delete(line.tag .. me.client)
    end
    tell_first(line)
    wake_first(line)
end

-- In a full line, a client with few requests takes the last place of the one with most.
local function make_room(line, who)
    local most, owner = (line.clients[who] or 0) + 1, nil
    for other, count in pairs(line.clients) do
        if count > most then
            most, owner = count, other
        end
    end
    for place = #line.waiting, 1, -1 do
        local last = line.waiting[place]
        if last.client == owner and not last.evicted then
            last.evicted = true
            last.bell:post(1)
            return true
        end
    end
    return false
end

-- Of all workers' first ones, only the smallest tag may go.
local function is_next(me)
    local line, mine = me.line, ngx.worker.id() or 0
    if tell_first(line) ~= me then
        return false
    end
    for id = 0, ngx.worker.count() - 1 do
        local tag = id ~= mine and dict:get(line.head .. id)
        if tag and (tag < me.tag or tag == me.tag and id < mine) then
            return false
        end
    end
    return true
end

local function try(me)
    if me.evicted then
        return nil, nil, "queue_full"
    elseif is_next(me) then
        return take(me.line.model)
    end
    local backend, refuser, code = replicas.choose(me.line.model)
    if not backend then
        return nil, refuser, code
    end
end

local function wait(line, who)
    local me = join(line, who)
    ngx.ctx.waits = me -- a client that leaves is found by it
    local begun = ngx.now()
    local deadline = begun + line.model.wait_s
    local backend, refuser, code
    while true do
        backend, refuser, code = try(me)
        local left = deadline - ngx.now()
        if backend or code then
            break
        elseif left < MIN_WAIT_S then
            code = "queue_timeout"
            break
        end
        me.bell:wait(math.min(left, line.waiting[1] == me and HEAD_LOOKS_S or OTHERS_LOOK_S))
    end
    ngx.ctx.waits, ngx.ctx.queued_s = nil, ngx.now() - begun
    ngx.var.trtllm_queued = string.format("%.3f", ngx.ctx.queued_s)
    if backend then
        dict:set(line.served, me.tag)
    end
    leave(me)
    return backend, refuser, code
end

-- Returns a backend with a place taken. Waits for one if it must, as long as the
-- model's wait_s. Else nil, and either a backend that refuses and the refusal's code,
-- or nil and "queue_full" or "queue_timeout".
local function admit(model)
    local line = lines[model]
    local waiting = shared.load(line.name)
    if waiting == 0 then
        local backend, refuser, code = take(model)
        if backend or code then
            return backend, refuser, code
        end
    end
    local who = client()
    if waiting >= model.queue and not make_room(line, who) then
        return nil, nil, "queue_full"
    end
    return wait(line, who)
end

-- A request has ended that had a place at the backend.
local function freed(backend)
    local model = backend.of
    if model.queue then
        local line = lines[model]
        local times = ngx.status < 400 and ngx.var.upstream_response_time
        local took = times and tonumber(times:match("([%d.]+)$"))
        if took then
            local known = dict:get(line.service) or took
            dict:set(line.service, known + (took - known) / 10)
        end
        wake_first(line)
    end
end

-- A client has left while it waited.
local function forget()
    local me = ngx.ctx.waits
    if me then
        ngx.ctx.waits = nil
        leave(me)
    end
end

local function waiting(model)
    return shared.in_flight(lines[model].name)
end

-- Returns what to tell a client that got no place.
local function about(model, code)
    local line, places = lines[model], 0
    for _, backend in ipairs(model.backends) do
        places = places + (backend.limit or 0)
    end
    local turns = (shared.load(line.name) + 1) / math.max(1, places)
    local hint = turns * (dict:get(line.service) or SERVICE_S)
    return {
        status = 429, code = code, kind = "rate_limit_error", param = "model",
        retry_after = math.max(1, math.min(MAX_HINT_S, hint)), should_retry = true,
        message = code == "queue_full"
            and "too many requests wait for " .. model.id
            or "no place at " .. model.id .. " became free within " .. model.wait_s .. " s",
    }
end

return { admit = admit, freed = freed, forget = forget, waiting = waiting, about = about }
