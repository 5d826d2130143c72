-- What requests have seen of the backends, for the watcher and for /-/status.
-- Kept in the shared dictionary, times to the second: a stream of a thousand
-- chunks a second must not write a thousand times.

local metrics = require "trtllm.metrics"

local dict = ngx.shared.trtllm

local progressed, received = {}, {} -- name -> when this worker last wrote it down

local function note(known, key, name)
    local now = ngx.now()
    if now - (known[name] or 0) >= 1 then
        known[name] = now
        dict:set(key .. name, now)
    end
end

-- A request goes to the backend.
local function note_request(name)
    note(progressed, "progress:", name)
end

-- Bytes have come from the backend: an answer's, not those of a health check.
local function note_bytes(name)
    note(progressed, "progress:", name)
    note(received, "bytes:", name)
end

-- Returns when a request last went to the backend or bytes came from it; 0 = never.
local function progress_at(name)
    return dict:get("progress:" .. name) or 0
end

-- A request has found nobody listening. The next requests are told at once; the
-- watcher asks the backend itself within its next tick.
local function note_refused(name)
    dict:set("refused:" .. name, ngx.now())
    dict:add("block:" .. name, "model_unavailable")
end

local function refused_at(name)
    return dict:get("refused:" .. name) or 0
end

-- The backend has failed a request. Codes are public: docs/reference/proxy.md.
-- `id` is the request's; left out, it is the current one.
local function note_error(name, code, id)
    metrics.count_error(name, code)
    dict:set("error:" .. name,
        ngx.now() .. " " .. code .. " " .. (id or ngx.var.trtllm_request_id))
end

-- Returns unix seconds of the last bytes, and the last error as a table with `at`,
-- `code` and `request_id`; each nil if there was none.
local function last(name)
    local failure
    local at, code, id = (dict:get("error:" .. name) or ""):match("^(%S+) (%S+) (%S*)$")
    if at then
        failure = { at = at, code = code, request_id = id }
    end
    return dict:get("bytes:" .. name), failure
end

return {
    note_request = note_request, note_bytes = note_bytes, progress_at = progress_at,
    note_refused = note_refused, refused_at = refused_at, note_error = note_error, last = last,
}
