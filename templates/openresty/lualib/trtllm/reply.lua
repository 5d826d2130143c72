-- Everything this proxy says itself, in the shape OpenAI's clients understand.

local cjson = require "cjson"

local encode = cjson.encode
local NULL = "null"

-- cjson escapes "/", which is right and hard to read in a terminal.
local function quote(text)
    return (encode(text):gsub("\\/", "/"))
end

-- Returns at most `limit` bytes of what a client sent, fit to be shown.
local function shown(text, limit)
    local cut = #text > limit and text:sub(1, limit) .. "..." or text
    return (cut:gsub("[^\32-\126]", "?"))
end

local function error_body(message, kind, param, code)
    return '{"error":{"message":' .. quote(message)
        .. ',"type":' .. quote(kind)
        .. ',"param":' .. (param and quote(param) or NULL)
        .. ',"code":' .. (code and quote(code) or NULL) .. "}}\n"
end

local function kind_of(status)
    return status >= 500 and "server_error" or "invalid_request_error"
end

-- Answers with JSON and ends the request. Call it with `return`.
-- The body of the request, if it has not been read, is thrown away: what is left
-- of it must not be taken for the next request of a kept connection.
local function send_json(status, body)
    ngx.req.discard_body()
    ngx.status = status
    local header = ngx.header
    header["Content-Type"] = "application/json"
    header["Content-Length"] = #body
    header["Cache-Control"] = "no-store"
    ngx.print(body)
    return ngx.exit(ngx.HTTP_OK)
end

-- problem: status, message, and optionally param, code, kind, retry_after (s),
-- should_retry (boolean: overrides what OpenAI's clients would do by themselves),
-- allow (methods of a 405), challenge (of a 401).
local function send_error(problem)
    local header = ngx.header
    if problem.retry_after then
        header["Retry-After"] = math.ceil(problem.retry_after)
        header["retry-after-ms"] = math.ceil(problem.retry_after * 1000)
    end
    if problem.should_retry ~= nil then
        header["x-should-retry"] = tostring(problem.should_retry)
    end
    header["Allow"] = problem.allow
    header["WWW-Authenticate"] = problem.challenge
    return send_json(problem.status, error_body(
        problem.message, problem.kind or kind_of(problem.status), problem.param, problem.code))
end

return {
    quote = quote, shown = shown, error_body = error_body, kind_of = kind_of,
    send_json = send_json, send_error = send_error,
}
