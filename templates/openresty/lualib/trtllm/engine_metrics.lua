-- The engines' own /prometheus/metrics, each series with a model and a backend label.
--
-- Read in the background by the worker that watches, a second at most for each engine,
-- and kept for half a minute: no request for /metrics waits for an engine, and one that
-- hangs is missing from it. (An engine has this path where its YAML says
-- return_perf_metrics: true.)

local metrics = require "trtllm.metrics"
local router = require "trtllm.router"
local routes = require "routes"

local dict = ngx.shared.trtllm_metrics
local EVERY_S, KEPT_S, TIMEOUT_MS = 10, 30, 1000
local MAX_BYTES = 256 * 1024

local looked_at = {} -- name of a backend -> when

local function get(backend)
    local sock = ngx.socket.tcp()
    sock:settimeouts(TIMEOUT_MS, TIMEOUT_MS, TIMEOUT_MS)
    if not sock:connect(backend.host, backend.port) then
        return nil
    end
    -- 1.0: an answer in chunks would have to be put together.
    sock:send("GET /prometheus/metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")
    local line = sock:receive("*l")
    local header, length = line, MAX_BYTES
    while header and header ~= "" do
        header = sock:receive("*l")
        length = tonumber((header or ""):lower():match("^content%-length:%s*(%d+)")) or length
    end
    local body, _, rest
    if line and line:find("^HTTP/1%.[01] 200") and length <= MAX_BYTES then
        body, _, rest = sock:receive(length)
    end
    sock:close()
    return body or rest
end

-- Returns the text with the labels in every series.
local function labelled(text, backend)
    local labels = 'model="' .. metrics.escape(backend.of.id) .. '",backend="'
        .. metrics.escape(backend.name) .. '"'
    local out = {}
    for line in text:gmatch("[^\r\n]+") do
        local name, rest = line:match("^([%a_:][%w_:]*)(.*)$")
        if line:find("^# [HT]") then
            out[#out + 1] = line
        elseif name and rest:sub(1, 2) == "{}" then
            out[#out + 1] = name .. "{" .. labels .. "}" .. rest:sub(3)
        elseif name and rest:sub(1, 1) == "{" then
            out[#out + 1] = name .. "{" .. labels .. "," .. rest:sub(2)
        elseif name and rest:find("^%s+%S") then
            out[#out + 1] = name .. "{" .. labels .. "}" .. rest
        end
    end
    return table.concat(out, "\n")
end

local function scrape(premature, backend)
    local text = not premature and get(backend)
    if text and #text > 0 then
        dict:set("engine " .. backend.name, labelled(text, backend), KEPT_S)
    end
end

-- Called at each tick of the watcher.
local function look(now)
    if not routes.engine_metrics then
        return
    end
    for _, backend in ipairs(router.backends) do
        if not backend.peer and now - (looked_at[backend.name] or 0) >= EVERY_S then
            looked_at[backend.name] = now
            ngx.timer.at(0, scrape, backend)
        end
    end
end

-- Returns all of them as one text: each family once, with the series of every engine.
local function merged()
    local families, order = {}, {}
    for _, backend in ipairs(router.backends) do
        local family
        for line in (dict:get("engine " .. backend.name) or ""):gmatch("[^\n]+") do
            local kind, name = line:match("^# (%u+) (%S+)")
            name = name or line:match("^[^%s{]+")
            -- The series of a histogram are called after it.
            local known = family and name:sub(1, #family.name) == family.name
            if kind or not known then
                family = families[name]
                if not family then
                    family = { name = name, heads = {} }
                    families[name], order[#order + 1] = family, family
                end
            end
            if not kind then
                family[#family + 1] = line
            elseif not family.heads[kind] then
                family.heads[kind] = line
            end
        end
    end
    local out = {}
    for _, family in ipairs(order) do
        out[#out + 1] = family.heads.HELP
        out[#out + 1] = family.heads.TYPE
        out[#out + 1] = table.concat(family, "\n")
    end
    return #out > 0 and table.concat(out, "\n") .. "\n" or ""
end

return { look = look, merged = merged, labelled = labelled }
