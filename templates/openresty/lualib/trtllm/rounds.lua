-- A stored response may be at any backend: those that are spoken to by TLS are asked in turn.
-- (nginx does the same for the others by itself; it knows one name for all certificates.)

local balancer = require "ngx.balancer"
local router = require "trtllm.router"

-- One for each address, whatever models it has.
local peers, known = {}, {}
for _, backend in ipairs(router.backends) do
    local place = backend.host .. ":" .. backend.port
    if backend.tls_name and not known[place] then
        known[place] = true
        peers[#peers + 1] = backend
    end
end

-- balancer phase: nginx comes again after each that does not know the response.
local function balance()
    local ctx = ngx.ctx
    ctx.round = (ctx.round or 0) + 1
    local peer = peers[ctx.round]
    if peers[ctx.round + 1] then
        balancer.set_more_tries(1)
    end
    ngx.var.trtllm_tls_name = peer.tls_name
    assert(balancer.set_current_peer(peer.host, peer.port))
end

return { balance = balance }
