-- The keys that peers ask this proxy for: lines "PEER KEY" in a file that an operator
-- writes. Clients' own keys are never passed on. Read when a configuration is loaded,
-- so a reload takes new ones.

local routes = require "routes"

local ENOENT = 2

local function load_keys(path)
    local found = {}
    local file, problem, code = io.open(path, "r")
    if not file then
        assert(code == ENOENT, "cannot read the keys for peers: " .. tostring(problem))
        return found
    end
    for line in file:lines() do
        if line ~= "" and line:sub(1, 1) ~= "#" then
            local peer, key = line:match("^([%w-]+) ([%w._~+/=-]+)$")
            -- The line itself is a secret, and errors go to a log.
            assert(peer, "cannot read the keys for peers: not PEER KEY in " .. path)
            found[peer] = "Bearer " .. key
        end
    end
    file:close()
    return found
end

local keys = load_keys(routes.peer_keys_file)

-- Returns the Authorization header for the backend, empty where it needs none.
local function authorization(backend)
    return backend.peer and keys[backend.peer] or ""
end

return { authorization = authorization }
