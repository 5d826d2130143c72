-- Asks one backend how it is, within a second. Called from timers only.

local cjson = require "cjson"

local TIMEOUT_MS = 1000
local MAX_ANSWER = 4096

-- How OpenSSL says that it is the certificate: a number and words, or these words.
local function about_tls(problem)
    local words = problem:match("^%d+: (.*)") or problem:match("^certificate host mismatch$")
    return words and "its certificate does not hold: " .. words or "no TLS with it: " .. problem
end

-- Returns the status, the body's start, or nil, "refused", "timeout" or "error" and, when it
-- does not prove who it is, why.
local function get(backend, path)
    local sock = ngx.socket.tcp()
    sock:settimeouts(TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS)
    local ok, problem = sock:connect(backend.host, backend.port)
    if not ok then
        return nil, problem == "timeout" and "timeout" or "refused"
    end
    if backend.tls_name then
        -- A session of before is not taken up: a certificate that has ended since would hold.
        ok, problem = sock:sslhandshake(false, backend.tls_name, true)
        if not ok then
            sock:close()
            if problem == "timeout" then
                return nil, "timeout"
            end
            return nil, "refused", about_tls(problem)
        end
    end
    local line
    -- Kept open by the other side and closed from this one: who closes first keeps the
    -- port in TIME_WAIT, and trtllm-serve could not bind it again for a minute.
    ok, problem = sock:send("GET " .. path .. " HTTP/1.1\r\nHost: localhost\r\n\r\n")
    if ok then
        line, problem = sock:receive("*l")
    end
    local header, length = line, 0
    while header and header ~= "" do
        header = sock:receive("*l")
        length = tonumber((header or ""):lower():match("^content%-length:%s*(%d+)")) or length
    end
    local body = backend.peer and length > 0 and sock:receive(math.min(length, MAX_ANSWER)) or ""
    sock:close()
    if line then
        return tonumber(line:match("^HTTP/1%.[01] (%d%d%d)")) or 0, body
    end
    return nil, problem == "timeout" and "timeout" or "error"
end

-- Returns "ok", "refused", "timeout" or "error".
local function ask_engine(backend)
    local status, problem, why = get(backend, "/health")
    if not status then
        return problem, why and { refusal = why, is_logged = true }
    end
    return status == 200 and "ok" or "error"
end

local PASSED_ON = {
    waiting = true, admission = true, backoff = true, loading = true, warming = true,
    draining = true, stopped = true, failed = true, suspect = true, busy = true, healthy = true,
}

-- A peer that is a proxy like this one says how the model is; one that knows no
-- /readyz is an engine. Returns the answer as ask_engine() does and, when the peer
-- has said more, a table with a `state` or a `refusal` in words.
local function ask_peer(backend)
    local status, body, why = get(backend, "/readyz?model=" .. ngx.escape_uri(backend.model))
    if not status then
        return body, why and { refusal = why, is_logged = true }
    end
    local ok, said = pcall(cjson.decode, body)
    said = ok and type(said) == "table" and said or {}
    if said.status == "ready" or said.status == "not_ready" then
        local state = PASSED_ON[said.state] and said.state or nil
        if said.status == "ready" or state then
            return "ok", { state = state }
        end
        return "ok", { refusal = "the peer says: " .. tostring(said.state):sub(1, 64) }
    elseif type(said.error) == "table" and said.error.code == "model_not_found" then
        return "ok", { refusal = "the peer does not serve this model" }
    elseif status == 401 or status == 403 then
        return "ok", { refusal = "the peer refuses us: HTTP " .. status }
    end
    return ask_engine(backend)
end

local function ask(backend)
    if backend.peer then
        return ask_peer(backend)
    end
    return ask_engine(backend)
end

return { ask = ask }
