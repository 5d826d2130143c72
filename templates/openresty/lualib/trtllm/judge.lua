-- Decides what a backend's state is, from what was seen of it. Pure.
--
-- seen.file      the launcher's state file, decoded; nil if there is none
-- seen.refusal   why a peer will not serve the model, in words; nil if it will
-- seen.probe     "ok", "refused", "timeout", "error" or nil (not asked yet)
-- seen.was_ok    whether a probe has been "ok" since the backend was last refused
-- seen.failures  how many probes in a row were not "ok"
-- seen.in_flight requests at the backend; seen.quiet_s seconds since it last sent
--                a byte or was sent a request
-- seen.now       unix seconds
--
-- Returned: state, serving (counts as healthy), block (code with which requests are
-- refused, nil = they go through), detail (words or nil), retry_after (s).

local TIMEOUTS_TO_DIE = 3
local QUIET_MAX_S = 30
local LOADING = {
    waiting = true, admission = true, backoff = true, loading = true, warming = true,
}
local USABLE = { healthy = true, busy = true, suspect = true }

local function seconds_left(file, now)
    local load_seconds, since = tonumber(file.load_seconds), tonumber(file.since)
    local left, expected_at = 10, tonumber(file.expected_at)
    if expected_at then
        left = math.ceil(expected_at - now)
    elseif load_seconds and since and file.state ~= "waiting" then
        left = math.ceil(load_seconds - (now - since))
    end
    -- OpenAI's older clients ignore what is above 60 s.
    return math.max(2, math.min(60, left))
end

local function words(file)
    return type(file.status) == "string" and file.status ~= "" and file.status or nil
end

local function down(state, detail)
    return { state = state, serving = false, block = "model_unavailable", detail = detail,
             retry_after = 5 }
end

-- A server that is working hard answers probes late or never: 3 in a row must fail,
-- and bytes that flow outweigh them. (Naive probes have killed busy servers.)
local function is_hung(seen)
    local is_working = seen.in_flight > 0 and seen.quiet_s < QUIET_MAX_S
    return (seen.probe == "timeout" or seen.probe == "error")
        and seen.failures >= TIMEOUTS_TO_DIE and not is_working
end

local function judge(seen)
    local file = seen.file
    local state = file and file.state
    if seen.refusal then
        return down("down", seen.refusal)
    elseif LOADING[state] then
        return { state = state, serving = false, block = "model_not_ready", detail = words(file),
                 retry_after = seconds_left(file, seen.now) }
    elseif state == "draining" then
        return { state = state, serving = false, block = "model_draining", detail = words(file),
                 retry_after = 10 }
    elseif state == "stopped" or state == "failed" then
        return { state = state, serving = false, block = "model_stopped", detail = words(file) }
    elseif seen.probe == "refused" then
        return down("down", "nobody listens on its port")
    elseif state ~= "busy" and is_hung(seen) then
        return down("unresponsive", "its last " .. seen.failures .. " health checks failed")
    elseif USABLE[state] then
        return { state = state, serving = state ~= "suspect", detail = words(file) }
    elseif seen.was_ok then
        return { state = "healthy", serving = true } -- no launcher: the probe alone decides
    end
    return { state = "unknown", serving = false, detail = "it has not answered a health check yet" }
end

return { judge = judge }
