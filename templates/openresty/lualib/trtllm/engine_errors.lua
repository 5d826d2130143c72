-- Brings the engine's error answers into OpenAI's shape; successes pass untouched.
--
-- trtllm-serve answers {"object":"error","message","type","param","code"} without the
-- enclosing "error", and {"error":"words"} when a request does not validate; its web
-- framework answers {"detail":...} or plain text. openai-python shows the message of
-- none but the first of these.

local cjson = require "cjson"
local metrics = require "trtllm.metrics"
local reply = require "trtllm.reply"
local silence = require "trtllm.silence"
local sightings = require "trtllm.sightings"

local MAX_ERROR = 64 * 1024 -- an error longer than this is cut, not kept in memory

local function is_text(value)
    return type(value) == "string" and value ~= ""
end

local function describe(text)
    local ok, answer = pcall(cjson.decode, text)
    if not ok or type(answer) ~= "table" then
        local plain = text:gsub("%s+$", "")
        return plain ~= "" and { message = reply.shown(plain, 2000) } or {}
    elseif type(answer.error) == "table" then
        return nil -- it has the shape already
    elseif is_text(answer.error) then
        return { message = answer.error }
    elseif is_text(answer.message) then
        return answer
    elseif answer.detail ~= nil then
        return { message = is_text(answer.detail) and answer.detail
                     or reply.shown(cjson.encode(answer.detail), 2000) }
    end
    return {}
end

-- Returns the body to send instead of `text`, which came with `status`.
local function reshape(status, text)
    local said = describe(text)
    if not said then
        return text
    end
    local code = said.code
    if type(code) == "number" then
        code = code ~= status and tostring(code) or nil -- the status says it already
    end
    return reply.error_body(
        said.message or ("the backend answered " .. status .. " without saying why"),
        reply.kind_of(status), is_text(said.param) and said.param or nil,
        is_text(code) and code or nil)
end

-- header filter of proxied answers.
local function filter_header()
    -- Without an upstream_status the access phase has refused the request itself.
    if ngx.status >= 400 and ngx.var.upstream_status then
        local header = ngx.header
        header["Content-Length"] = nil
        header["Content-Type"] = "application/json"
        ngx.ctx.error_parts = { size = 0 }
    end
end

-- nginx flushes with nothing to send in two cases: headers have come without a body,
-- and the backend has broken off or fallen silent. It does not for a client that left.
local function note_flush(ctx, name)
    if ctx.was_flushed or ngx.var.upstream_response_length ~= "0" then
        sightings.note_error(name, "stream_cut")
    end
    ctx.was_flushed = true
end

-- body filter of proxied answers. Bytes of a success are only noted: they show that
-- a backend lives which is too busy for health checks.
local function filter_body()
    local ctx = ngx.ctx
    if ngx.status < 400 then
        local name = ctx.backend
        if not name then
            return
        end
        local chunk = ngx.arg[1]
        if chunk ~= "" then
            sightings.note_bytes(name)
            metrics.note_chunk(ctx, chunk)
            if silence.is_on then
                silence.note_chunk(name)
            end
        elseif not ngx.arg[2] then
            note_flush(ctx, name)
        end
        return
    end
    local parts = ctx.error_parts
    if not parts then
        return
    end
    local chunk = ngx.arg[1]
    if parts.size < MAX_ERROR then
        parts[#parts + 1] = chunk
        parts.size = parts.size + #chunk
    end
    if ngx.arg[2] then
        ngx.arg[1] = reshape(ngx.status, table.concat(parts):sub(1, MAX_ERROR))
    else
        ngx.arg[1] = nil
    end
end

return { reshape = reshape, filter_header = filter_header, filter_body = filter_body }
