-- Which model an id means, and who serves it: routes.lua in, a model out.
--
-- A model has `id` (the one it is called by), `ids`, `contains` and `backends`, one or
-- more servers that all serve it; with limits also `queue` and `wait_s`. A backend has a
-- `name`, the model it is `of` and, elsewhere than on this host, the name of its `peer`.

local reply = require "trtllm.reply"
local routes = require "routes"

local backends = routes.backends
local exact, by_name, by_upstream, ids = {}, {}, {}, {}
for _, backend in ipairs(backends) do
    by_name[backend.name] = backend
    by_upstream[backend.upstream] = backend
end
for _, model in ipairs(routes.models) do
    model.id = model.ids[1]
    for i, place in ipairs(model.backends) do
        model.backends[i] = backends[place]
        backends[place].of = model
    end
    for _, id in ipairs(model.ids) do
        local key = id:lower()
        exact[key] = exact[key] or model
        ids[#ids + 1] = id
    end
end

local function look_up(wanted)
    local key = wanted:lower()
    local model = exact[key]
    if model then
        return model
    end
    for _, candidate in ipairs(routes.models) do
        for _, part in ipairs(candidate.contains) do
            if key:find(part, 1, true) then
                return candidate
            end
        end
    end
    return nil
end

-- What clients have called models so far. What they may call them has no end.
local MAX_CALLED, LONG = 1000, 128
local called, calls = {}, 0

-- Exact ids first, then substrings in the order of the profile; case never matters.
-- Returns nil for an id that nobody serves.
local function find(wanted)
    local model = called[wanted]
    if not model then
        model = look_up(wanted)
        if model and calls < MAX_CALLED and #wanted <= LONG then
            called[wanted], calls = model, calls + 1
        end
    end
    return model
end

local function unknown_model(model)
    return {
        status = 404, param = "model", code = "model_not_found",
        message = "model '" .. reply.shown(model, 128) .. "' is not served here; there is: "
            .. table.concat(ids, ", "),
    }
end

-- Returns the model that lists this id, and the id as the profile writes it.
local function find_listed(id)
    local model = exact[id:lower()]
    if model then
        for _, known in ipairs(model.ids) do
            if known:lower() == id:lower() then
                return model, known
            end
        end
    end
    return nil
end

-- Returns the backend that the current request was sent to, nil for none. Where a model
-- has several, $trtllm_upstream is the name; else $trtllm_pool says it.
local function sent_to()
    local var = ngx.var
    return by_upstream[var.trtllm_pool] or by_name[var.trtllm_upstream]
end

-- Returns the backends an operator means: one by its name, or all of a peer.
local function named(name)
    local found = {}
    for _, backend in ipairs(backends) do
        if backend.name == name or backend.peer == name then
            found[#found + 1] = backend
        end
    end
    return found
end

return {
    find = find, find_listed = find_listed, unknown_model = unknown_model, named = named,
    sent_to = sent_to,
    backends = backends, models = routes.models, by_name = by_name,
    generation = routes.generation,
}
