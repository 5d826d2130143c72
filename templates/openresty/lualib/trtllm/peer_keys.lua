-- The keys that peers ask this proxy for: lines "PEER KEY" in a file. Clients' own keys are
-- never passed on. Read when a configuration is loaded, so a reload takes new ones.

local keys = require "trtllm.keys"
local routes = require "routes"

local ENOENT = 2

-- Returns peer to header, and what the mark is made of; that is nil where there is no file.
local function load_keys(path)
    local found, lines = {}, {}
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
            lines[#lines + 1] = peer .. keys.hash_of(key)
        end
    end
    file:close()
    return found, lines
end

local headers, lines = load_keys(routes.peer_keys_file)

-- Returns the Authorization header for the backend, empty where it needs none.
local function authorization(backend)
    return backend.peer and headers[backend.peer] or ""
end

return { authorization = authorization, mark = keys.mark_of(lines) }
