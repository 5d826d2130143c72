-- Which backend a model id belongs to. Pure: routes.lua in, a backend out.

local reply = require "trtllm.reply"
local routes = require "routes"

local exact, by_name, ids = {}, {}, {}
for _, upstream in ipairs(routes.upstreams) do
    by_name[upstream.name] = upstream
    for _, id in ipairs(upstream.ids) do
        local key = id:lower()
        exact[key] = exact[key] or upstream
        ids[#ids + 1] = id
    end
end

-- Exact ids first, then substrings in the order of the profile; case never matters.
-- Returns nil for an id that nobody serves.
local function find(model)
    local key = model:lower()
    local upstream = exact[key]
    if upstream then
        return upstream
    end
    for _, candidate in ipairs(routes.upstreams) do
        for _, part in ipairs(candidate.contains) do
            if key:find(part, 1, true) then
                return candidate
            end
        end
    end
    return nil
end

local function unknown_model(model)
    return {
        status = 404, param = "model", code = "model_not_found",
        message = "model '" .. reply.shown(model, 128) .. "' is not served here; there is: "
            .. table.concat(ids, ", "),
    }
end

-- Returns the backend that lists this id, and the id as the profile writes it.
local function find_listed(id)
    local upstream = exact[id:lower()]
    if upstream then
        for _, known in ipairs(upstream.ids) do
            if known:lower() == id:lower() then
                return upstream, known
            end
        end
    end
    return nil
end

return {
    find = find, find_listed = find_listed, unknown_model = unknown_model,
    upstreams = routes.upstreams, by_name = by_name, generation = routes.generation,
}
