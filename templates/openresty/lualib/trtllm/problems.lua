-- What goes wrong, in words and codes. Codes are public: docs/reference/proxy.md.

local router = require "trtllm.router"
local shared = require "trtllm.shared"
local sightings = require "trtllm.sightings"

-- Verdicts about a body (body.lua, json_scan.lua) -> what the client is told.
local BODIES = {
    empty = { 400, "the request has no body; it takes a JSON object with a \"model\"",
              "invalid_json" },
    invalid = { 400, "the body is not valid JSON in UTF-8", "invalid_json" },
    too_deep = { 400, "the body is nested more than 900 levels deep", "invalid_json" },
    not_object = { 400, "the body is JSON but not an object", "invalid_json" },
    missing = { 400, "the body has no \"model\"; /v1/models lists the ones there are",
                "model_missing", "model" },
    other = { 400, "\"model\" is not a string", "model_not_string", "model" },
    unreadable = { 500, "the proxy cannot read back the body it has stored",
                   "internal_error" },
}

local function is_form()
    local kind = ngx.var.content_type
    return kind and kind:lower():find("^multipart/") ~= nil
end

local function about_body(verdict)
    if (verdict == "invalid" or verdict == "not_object") and is_form() then
        return { status = 415, code = "unsupported_media_type",
                 message = "this path takes JSON; no path of the engine takes multipart forms" }
    end
    local entry = BODIES[verdict]
    return { status = entry[1], message = entry[2], code = entry[3], param = entry[4] }
end

-- A backend that takes no requests now. None of these has cost the GPU anything,
-- so trying again is cheap, except where only a person can help.
local function about_block(name, code)
    local view = shared.read_view(name)
    local what = ({
        model_not_ready = "is not ready yet: " .. view.state,
        model_draining = "is being drained",
        model_stopped = "is stopped: " .. view.state,
        model_unavailable = "is down",
    })[code] or "takes no requests"
    local is_known = not view.serving and view.detail and code ~= "model_draining"
    local detail = is_known and " (" .. view.detail .. ")" or ""
    return {
        status = 503, code = code, param = "model",
        message = "the backend " .. name .. " " .. what .. detail,
        retry_after = code ~= "model_stopped" and (view.retry_after or 5) or nil,
        should_retry = code ~= "model_stopped",
    }
end

-- Statuses that nginx itself ends a request with.
local NGINX = {
    [400] = { "the request is not well-formed HTTP", "bad_request" },
    [403] = { "this is not allowed", "forbidden" },
    [404] = { "there is no such path here", "not_found" },
    [405] = { "this method is not supported here", "method_not_allowed" },
    [411] = { "the request needs a Content-Length", "length_required" },
    [413] = { "the body is larger than this proxy takes", "request_too_large" },
    [414] = { "the address is too long", "uri_too_long" },
    [416] = { "the range cannot be satisfied", "bad_request" },
    [421] = { "the request is meant for another server", "bad_request" },
    [431] = { "the headers are too large", "headers_too_large" },
    [500] = { "the proxy has failed; its error log says how", "internal_error" },
    [501] = { "this transfer encoding is not supported", "not_implemented" },
    [505] = { "this version of HTTP is not supported", "http_version_not_supported" },
}

local function has_connected()
    local times = ngx.var.upstream_connect_time or "" -- of each backend that was tried
    return times:find("%d$") ~= nil
end

-- The backend was asked, or was to be asked, and nginx gave up on it.
local function about_upstream(status)
    local backend = router.sent_to()
    local name = backend and backend.name or ""
    if not has_connected() and backend then
        sightings.note_error(name, "refused")
        if status == 504 then
            -- Its line of new connections is full, or its host is gone: the watcher
            -- finds out which. One second is not enough to call it down.
            return { status = 503, code = "model_unavailable", param = "model", retry_after = 2,
                     should_retry = true,
                     message = "the backend " .. name .. " takes no connection now" }
        end
        sightings.note_refused(name)
        return about_block(name, shared.block_of(name))
    elseif not has_connected() then
        return { status = 503, code = "model_unavailable", retry_after = 5, should_retry = true,
                 message = "not every backend could be asked for this response" }
    end
    local code = status == 504 and "timeout" or "backend_died"
    if backend then
        sightings.note_error(name, code)
    end
    if code == "timeout" then
        -- Trying again would make the GPU do the same long work once more.
        return { status = 504, code = code, should_retry = false,
                 message = "the backend " .. name .. " sent nothing for too long" }
    end
    return { status = 502, code = code, should_retry = false,
             message = "the backend " .. name .. " broke off before it answered" }
end

-- nginx, not Lua, has ended the request with this status.
local function about_status(status)
    if status == 502 or status == 503 or status == 504 then
        return about_upstream(status)
    end
    local entry = NGINX[status] or NGINX[status >= 500 and 500 or 400]
    return { status = status, message = entry[1], code = entry[2] }
end

return {
    about_body = about_body, about_block = about_block, about_status = about_status,
    has_connected = has_connected,
}
