-- Keeps the view of each backend fresh, so that no request ever has to ask one.
--
-- One worker watches; if it dies another takes over within a second. Each tick
-- reads the launchers' state files and judges. Probes run beside it, each in a
-- timer of its own: a backend that hangs delays nobody.

local cjson = require "cjson"
local engine_metrics = require "trtllm.engine_metrics"
local certificate = require "trtllm.certificate"
local judge = require "trtllm.judge"
local probes = require "trtllm.probe"
local router = require "trtllm.router"
local shared = require "trtllm.shared"
local sightings = require "trtllm.sightings"

local TICK_S = 0.25
local LEASE_S = 1
local PROBE_EVERY_S = 2 -- while it is well; each tick while it is not
local MAX_STATE_FILE = 16384

local seen = {} -- name -> what the last probes of this worker found

local function read_state(path)
    local file = io.open(path, "r")
    if not file then
        return nil
    end
    local text = file:read(MAX_STATE_FILE) -- bounded, and in /run: no disk to wait for
    file:close()
    local ok, state = pcall(cjson.decode, text or "")
    return ok and type(state) == "table" and state or nil
end

local function probe(premature, backend)
    local record = seen[backend.name]
    if not premature then
        local started = ngx.now()
        local answer, said = probes.ask(backend)
        record.failures = answer == "ok" and 0 or record.failures + 1
        record.was_ok = answer == "ok" or (record.was_ok and answer ~= "refused")
        local before = record.said and record.said.refusal
        if said and said.is_logged and said.refusal ~= before then
            ngx.log(ngx.ERR, "no request goes to ", backend.name, ": ", said.refusal)
        end
        record.probe, record.said = answer, said
        record.probed_at = started
    end
    record.running = false
end

local function is_due(record, now)
    local pause = record.probe == "ok" and PROBE_EVERY_S or TICK_S
    return not record.running and now - record.probed_at >= pause
end

local function look_at(backend)
    local name, now = backend.name, ngx.now()
    local record = seen[name]
    if not record then
        record = { failures = 0, probed_at = 0, running = false }
        seen[name] = record
    end
    if sightings.refused_at(name) > record.probed_at then
        record.probe, record.was_ok, record.probed_at = "refused", false, 0
    end
    if is_due(record, now) then
        record.running = true
        if not ngx.timer.at(0, probe, backend) then
            record.running = false
        end
    end
    local file
    if backend.peer then
        file = record.said and record.said.state and record.said
    else
        file = read_state(backend.state_file)
    end
    if record.probe or file then
        shared.publish(name, judge.judge {
            file = file, refusal = record.said and record.said.refusal,
            probe = record.probe, was_ok = record.was_ok,
            failures = record.failures, now = now, in_flight = shared.in_flight(name),
            quiet_s = now - sightings.progress_at(name),
        })
    end
end

local function tick(premature)
    if premature or ngx.worker.exiting() then
        shared.stop_leading()
        shared.leave_listening()
    elseif shared.lead(LEASE_S) then
        ngx.update_time()
        shared.drop_dead_workers()
        certificate.notice(ngx.now())
        shared.settle_loads()
        engine_metrics.look(ngx.now())
        for _, backend in ipairs(router.backends) do
            look_at(backend)
        end
    end
end

-- Call once in each new worker.
local function start()
    ngx.timer.at(0, tick)
    ngx.timer.every(TICK_S, tick)
end

return { start = start, read_state = read_state }
