local cjson = require "cjson"
local reshape = require("trtllm.engine_errors").reshape

local function read(status, text)
    local answer = cjson.decode(reshape(status, text)).error
    assert(type(answer.message) == "string" and answer.message ~= "")
    return answer
end

return {
    ["the engine's flat error gets its envelope"] = function()
        local answer = read(400, '{"object":"error","message":"too long","type":'
            .. '"BadRequestError","param":"prompt","code":400}')
        assert(answer.message == "too long" and answer.param == "prompt")
        assert(answer.type == "invalid_request_error")
        assert(answer.code == cjson.null, "the status is no code")
    end,
    ["an error that is a string becomes a message"] = function()
        assert(read(400, '{"error":"1 validation error"}').message == "1 validation error")
    end,
    ["an error in the right shape passes byte for byte"] = function()
        local text = '{ "error": {"message": "m", "type": "t", "param": null, "code": "c"} }'
        assert(reshape(429, text) == text)
    end,
    ["what the web framework says is kept"] = function()
        assert(read(404, '{"detail":"Not Found"}').message == "Not Found")
        assert(read(422, '{"detail":[{"msg":"no"}]}').message:find('"msg":"no"', 1, true))
        assert(read(500, "Internal Server Error\n").message == "Internal Server Error")
    end,
    ["nothing at all still is an error with a message"] = function()
        assert(read(503, "").type == "server_error")
        assert(read(500, "[]").message:find("500", 1, true))
        assert(read(500, "{").message)
        assert(read(500, '"x"').message)
        assert(read(500, "\255\254").message)
    end,
}
