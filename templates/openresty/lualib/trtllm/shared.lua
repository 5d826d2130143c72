-- What the workers know together: one shared dictionary, every key minted here.
--
-- In-flight counts are kept per worker process, so that the counts of a worker
-- that was killed can be dropped instead of staying for ever. They survive a
-- reload, as the dictionary does: the old workers still finish their requests.

local ffi = require "ffi"
local certificate = require "trtllm.certificate"
local keys = require "trtllm.keys"
local peer_keys = require "trtllm.peer_keys"
local router = require "trtllm.router"

ffi.cdef [[ int kill(int pid, int signal); ]]

local dict = ngx.shared.trtllm
local EPERM = 1

-- name of a backend -> key of this worker's count, and of everyone's
local mine, totals = {}, {}

local function count_key(name, pid)
    return "count:" .. name .. ":" .. pid
end

local function worker_key(pid)
    return "worker:" .. pid
end

-- Requests that wait for a model are counted as those at a backend are.
local function line_name(model)
    return "line of " .. model.id
end

local chosen = {} -- names whose total decides where requests go

for _, model in ipairs(router.models) do
    totals[line_name(model)] = "total:" .. line_name(model)
    chosen[line_name(model)] = model.queue
    for _, backend in ipairs(model.backends) do
        totals[backend.name] = "total:" .. backend.name
        chosen[backend.name] = model.queue or model.backends[2]
    end
end

-- Call once in each new worker.
local function join()
    local pid = ngx.worker.pid()
    for name in pairs(totals) do
        mine[name] = count_key(name, pid)
        dict:set(mine[name], 0)
    end
    -- A number and no time: clocks are set back.
    local place = dict:incr("joined", 1, 0)
    dict:set(worker_key(pid), table.concat(
        { place, router.generation, keys.mark, peer_keys.mark, certificate.mark }, " "))
end

-- This worker has closed its listening sockets: no new request comes here.
local function leave_listening()
    dict:set(worker_key(ngx.worker.pid()), "")
end

-- Returns the process ids of all workers, with what join() or leave_listening() wrote.
local function workers()
    local found = {}
    for _, key in ipairs(dict:get_keys(0)) do
        local pid = key:match("^worker:(%d+)$")
        if pid then
            found[tonumber(pid)] = dict:get(key)
        end
    end
    return found
end

-- Returns the generation that every new request meets at least, and a list of marks: of
-- clients' keys, peers' keys and the certificate. They are those of the oldest worker that
-- still listens: for a tenth of a second in a reload, old and new ones listen side by side.
local function generation()
    local oldest, result, marks
    for _, text in pairs(workers()) do
        local place, known, clients, peers, shown =
            text:match("^(%d+) (%S*) (%S*) ?(%S*) ?(%S*)$")
        place = tonumber(place)
        if place and (not oldest or place < oldest) then
            oldest, result, marks = place, known, { clients, peers, shown }
        end
    end
    return result or router.generation, marks or { keys.mark, peer_keys.mark, certificate.mark }
end

local function is_alive(pid)
    return ffi.C.kill(pid, 0) == 0 or ffi.errno() == EPERM
end

-- Forgets what workers that have died were doing.
local function drop_dead_workers()
    for pid in pairs(workers()) do
        if not is_alive(pid) then
            dict:delete(worker_key(pid))
            for name in pairs(totals) do
                local lost = dict:get(count_key(name, pid)) or 0
                dict:delete(count_key(name, pid))
                dict:incr(totals[name], -lost, 0)
            end
        end
    end
end

-- Returns how many requests the backend has now, with this one, where that decides.
local function enter(name)
    dict:incr(mine[name], 1, 0)
    return chosen[name] and dict:incr(totals[name], 1, 0)
end

local function leave(name)
    dict:incr(mine[name], -1, 0)
    if chosen[name] then
        dict:incr(totals[name], -1, 0)
    end
end

-- The same as in_flight(), from one key: made for every request whose way it decides.
local function load(name)
    return dict:get(totals[name]) or 0
end

-- Returns how many requests this proxy has at the backend.
local function in_flight(name)
    local sum = 0
    for pid in pairs(workers()) do
        sum = sum + (dict:get(count_key(name, pid)) or 0)
    end
    return sum
end

local strange = {} -- name -> a difference of the two counts that the last tick has seen

-- A worker that is killed between its two counts leaves them different for ever. What
-- is the same at two ticks is no request that comes or goes, and is put right.
local function settle_loads()
    for name in pairs(chosen) do
        local sum, total = in_flight(name), load(name)
        local now = sum ~= total and sum .. " " .. total or nil
        if now and strange[name] == now then
            dict:incr(totals[name], sum - total, 0)
            now = nil
        end
        strange[name] = now
    end
end

local function set_draining(name, draining)
    dict:set("draining:" .. name, draining or nil)
    -- One key for the way of a request; the next tick writes the true one again.
    dict:set("block:" .. name, draining and "model_draining" or nil)
end

local function is_draining(name)
    return dict:get("draining:" .. name) == true
end

local blocks = {}
for name in pairs(router.by_name) do
    blocks[name] = "block:" .. name
end

-- Returns nil when requests may go to the backend, else the code of the refusal.
local function block_of(name)
    return dict:get(blocks[name])
end

-- Publishes what watch.lua has judged. `view` is what judge.lua returns.
local function publish(name, view)
    dict:set("block:" .. name, is_draining(name) and "model_draining" or view.block)
    dict:set("retry:" .. name, view.retry_after)
    dict:set("detail:" .. name, view.detail)
    dict:set("serving:" .. name, view.serving)
    if dict:get("state:" .. name) ~= view.state then
        dict:set("state:" .. name, view.state)
        dict:set("changed:" .. name, ngx.now())
    end
end

local function read_view(name)
    return {
        state = dict:get("state:" .. name) or "unknown",
        serving = dict:get("serving:" .. name) == true,
        detail = dict:get("detail:" .. name),
        retry_after = dict:get("retry:" .. name),
        changed = dict:get("changed:" .. name),
    }
end

-- One worker watches the backends. Returns whether it is this one, for `seconds`.
local function lead(seconds)
    local pid = ngx.worker.pid()
    local leader = dict:get("leader")
    if leader == pid then
        return dict:set("leader", pid, seconds)
    end
    return not leader and dict:add("leader", pid, seconds) == true
end

local function stop_leading()
    if dict:get("leader") == ngx.worker.pid() then
        dict:delete("leader")
    end
end

return {
    join = join, line_name = line_name, leave_listening = leave_listening, generation = generation,
    drop_dead_workers = drop_dead_workers, enter = enter, leave = leave,
    in_flight = in_flight, load = load, settle_loads = settle_loads,
    set_draining = set_draining, is_draining = is_draining,
    block_of = block_of, publish = publish, read_view = read_view,
    lead = lead, stop_leading = stop_leading,
}
