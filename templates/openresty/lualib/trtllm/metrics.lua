-- Counts what requests came to: kept by each worker, put together once a second.
--
-- A name in the shared dictionary is a whole Prometheus series, so the exposition only
-- sorts and prints. It outlives reloads; a worker that is killed takes a second of
-- counts with it. Names are few: models of the profile, statuses, names of keys.

local ffi = require "ffi"
local keys = require "trtllm.keys"
local router = require "trtllm.router"

ffi.cdef [[ long strtol(const char *text, char **rest, int base); ]]

local dict = ngx.shared.trtllm_metrics
local PREFIX = "trtllm_proxy_"
local FLUSH_S = 1
local MAX_ANSWERS = 2000 -- pairs of status and client that one worker tells apart
local DATA, EVENT, COMMENT = ("de:"):byte(1, 3) -- how a stream of events begins
local SPACE, ZERO, NINE = (" 09"):byte(1, 3)
local USAGE_WITHIN = 1024 -- bytes of the end
local PERIOD_S, KEPT_S = 10, 900

-- Seconds. A first token may take minutes, a stream an hour.
local BOUNDS = {
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800,
    math.huge,
}
local BOUND_NAMES, buckets = {}, {}
for i, bound in ipairs(BOUNDS) do
    BOUND_NAMES[i] = bound == math.huge and "+Inf" or tostring(bound)
end

local of_models = {} -- model -> what its requests came to since the last flush
local of_backends = {} -- backend -> code -> how often it has failed since then
local known_answers = 0 -- of all models: pairs of status and client

local function escape(text)
    return (text:gsub('[\\"\n]', { ["\\"] = "\\\\", ['"'] = '\\"', ["\n"] = "\\n" }))
end

-- An array of seconds; they find their buckets when they are put together.
local function new_histogram()
    return { n = 0, sum = 0 }
end

-- Made once for each model; the way of a request only adds to numbers.
local function new_model(model)
    return {
        labels = 'model="' .. escape(model) .. '"', answers = {},
        received = 0, sent = 0, requests = 0, errors = 0, aborts = 0, tokens = 0,
        request = new_histogram(), first_chunk = new_histogram(), stream = new_histogram(),
        queue = new_histogram(),
    }
end

local function observe(histogram, seconds)
    local n = histogram.n + 1
    histogram[n], histogram.n, histogram.sum = seconds, n, histogram.sum + seconds
end

local function count_answer(of_model, status, client)
    local of_client = of_model.answers[client]
    if not of_client then
        of_client = {}
        of_model.answers[client] = of_client
    end
    local known = of_client[status]
    if not known then
        if known_answers >= MAX_ANSWERS then
            return
        end
        known_answers, known = known_answers + 1, 0
    end
    of_client[status] = known + 1
end

-- body filter of successes. Tokens are what the engine says in `usage`, which is at the
-- end; a stream that does not tell has about one token for each event.
local function note_chunk(ctx, chunk)
    if not ctx.first_at then
        ctx.first_at = ngx.now()
        local first = chunk:byte(1)
        ctx.events = (first == DATA or first == EVENT or first == COMMENT) and 0
    end
    if ctx.events then
        local events, at = 0, chunk:find("\n\n", 1, true)
        while at do
            events, at = events + 1, chunk:find("\n\n", at + 2, true)
        end
        ctx.events = ctx.events + events
    end
    ctx.tail, ctx.before = chunk, ctx.tail
end

-- No pattern and no loop: LuaJIT compiles neither here. Within a string the quote would
-- be escaped, so only keys are found; a name is looked for without the quote in front of
-- it, as every quote of the answer would be a place to look at.
local function told(chunk)
    if not chunk then
        return nil
    end
    local from = math.max(1, #chunk - USAGE_WITHIN)
    local _, at = chunk:find('completion_tokens":', from, true)
    if not at then
        _, at = chunk:find('output_tokens":', from, true)
    end
    local digit = at and (chunk:byte(at + 1) == SPACE and chunk:byte(at + 2) or chunk:byte(at + 1))
    if digit and digit >= ZERO and digit <= NINE then
        return tonumber(ffi.C.strtol(ffi.cast("const char *", chunk) + at, nil, 10))
    end
end

local function tokens_of(ctx)
    return told(ctx.tail) or told(ctx.before) or ctx.events and math.max(0, ctx.events - 1) or 0
end

-- log phase of a request to a model. `model` is its id, empty for one that has none;
-- `was_cut` tells that the backend and not the client has left.
local function record(model, ctx, was_cut)
    local var, status = ngx.var, ngx.status
    local client = keys.are_asked and var.trtllm_key or ""
    local now, started = ngx.now(), ngx.req.start_time()
    local mine = of_models[model]
    if not mine then
        mine = new_model(model)
        of_models[model] = mine
    end
    local left = not was_cut and (status == 499 or var.request_completion == "")
    count_answer(mine, left and 499 or status, client)
    mine.requests = mine.requests + 1
    mine.received = mine.received + (tonumber(var.request_length) or 0)
    mine.sent = mine.sent + (tonumber(var.bytes_sent) or 0)
    if left then
        mine.aborts = mine.aborts + 1
    elseif status >= 500 then
        mine.errors = mine.errors + 1
    end
    observe(mine.request, now - started)
    if ctx.queued_s then
        observe(mine.queue, ctx.queued_s)
    end
    local first_at = ctx.first_at
    if first_at then
        observe(mine.first_chunk, first_at - started)
        mine.tokens = mine.tokens + tokens_of(ctx)
        if ctx.events then
            observe(mine.stream, now - first_at)
        end
    end
end

local function count_error(backend, code)
    local mine = of_backends[backend] or {}
    of_backends[backend] = mine
    mine[code] = (mine[code] or 0) + 1
end

local function add(name, labels, delta)
    dict:incr(PREFIX .. name .. "{" .. labels .. "}", delta, 0)
end

local function flush_histogram(name, labels, histogram)
    if histogram.n == 0 then
        return
    end
    for i = 1, #BOUNDS do
        buckets[i] = 0
    end
    for i = 1, histogram.n do
        local seconds, place = histogram[i], 1
        while seconds > BOUNDS[place] do
            place = place + 1
        end
        buckets[place] = buckets[place] + 1
    end
    local upto = 0
    for i = 1, #BOUNDS do
        upto = upto + buckets[i]
        -- Zeros too: a histogram has all its buckets.
        add(name .. "_bucket", labels .. ',le="' .. BOUND_NAMES[i] .. '"', upto)
    end
    add(name .. "_sum", labels, histogram.sum)
    add(name .. "_count", labels, histogram.n)
    histogram.n, histogram.sum = 0, 0
end

local function history_key(period, model, figure)
    return "history " .. period .. " " .. figure .. " " .. model
end

local function flush_model(model, mine)
    local period = math.floor(ngx.now() / PERIOD_S)
    local figures = {
        requests = mine.requests, errors = mine.errors, aborts = mine.aborts,
        tokens = mine.tokens, first_n = mine.first_chunk.n, first_s = mine.first_chunk.sum,
    }
    for figure, delta in pairs(figures) do
        if delta ~= 0 then
            dict:incr(history_key(period, model, figure), delta, 0, KEPT_S + PERIOD_S)
        end
    end
    for client, of_client in pairs(mine.answers) do
        for status, delta in pairs(of_client) do
            if delta > 0 then
                add("requests_total", mine.labels .. ',status="' .. status .. '",client="'
                    .. escape(client) .. '"', delta)
                of_client[status] = 0
            end
        end
    end
    add("received_bytes_total", mine.labels, mine.received)
    add("sent_bytes_total", mine.labels, mine.sent)
    add("client_aborts_total", mine.labels, mine.aborts)
    add("tokens_total", mine.labels, mine.tokens)
    mine.received, mine.sent, mine.requests, mine.errors = 0, 0, 0, 0
    mine.aborts, mine.tokens = 0, 0
    flush_histogram("request_seconds", mine.labels, mine.request)
    flush_histogram("first_chunk_seconds", mine.labels, mine.first_chunk)
    flush_histogram("stream_seconds", mine.labels, mine.stream)
    flush_histogram("queue_seconds", mine.labels, mine.queue)
end

-- Writes what has come since the last time.
local function flush()
    for model, mine in pairs(of_models) do
        if mine.requests > 0 then
            flush_model(model, mine)
        end
    end
    for backend, codes in pairs(of_backends) do
        for code, delta in pairs(codes) do
            add("backend_errors_total", 'backend="' .. escape(backend) .. '",code="' .. code
                .. '"', delta)
        end
        of_backends[backend] = nil
    end
end

local FIGURES = { "requests", "errors", "aborts", "tokens", "first_n", "first_s" }

-- Returns unix seconds at which the oldest period begins, and for each model and
-- figure an array over the periods, oldest first.
local function history()
    flush()
    local periods = KEPT_S / PERIOD_S
    local last = math.floor(ngx.now() / PERIOD_S)
    local models = {}
    for _, model in ipairs(router.models) do
        local of_model = {}
        for _, figure in ipairs(FIGURES) do
            local values = {}
            for i = 1, periods do
                values[i] = dict:get(history_key(last - periods + i, model.id, figure)) or 0
            end
            of_model[figure] = values
        end
        models[model.id] = of_model
    end
    return (last - periods + 1) * PERIOD_S, PERIOD_S, models
end

-- Call once in each new worker. Written also by a worker that is on its way out.
local function start()
    ngx.timer.every(FLUSH_S, flush)
end

return {
    record = record, note_chunk = note_chunk, count_error = count_error, escape = escape,
    flush = flush, history = history, start = start,
}
