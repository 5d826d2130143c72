local router = require "trtllm.router"

local function expect(model, name)
    local found = router.find(model)
    local first = found and found.backends[1].name
    assert(first == name, model .. " went to " .. tostring(first))
end

return {
    ["ids and substrings match without case"] = function()
        expect("nvidia/qwen3-30b-a3b-fp4", "qwen")
        expect("FAST", "qwen")
        expect("openai/NEMOTRON-mini", "nemotron")
        expect("nano", "nemotron")
    end,
    ["an exact id goes before a substring of another backend"] = function()
        expect("my-qwen-like", "nemotron")
    end,
    ["of two substrings the first backend's wins"] = function()
        expect("nemotron-or-qwen", "qwen")
    end,
    ["substrings are plain text and no patterns"] = function()
        expect("q.en", nil)
        expect("", nil)
    end,
    ["an unknown model is named shortly and cleanly, with what there is"] = function()
        local problem = router.unknown_model("x\n\255" .. ("y"):rep(500))
        assert(problem.status == 404 and problem.code == "model_not_found")
        assert(problem.message:find("'x??yyy", 1, true))
        assert(problem.message:find("nvidia/Nemotron", 1, true))
        assert(#problem.message < 400)
    end,
    ["however a model is called, it is found a second time as the first"] = function()
        for _ = 1, 2 do
            for i = 1, 1500 do
                assert(router.find("my-QWEN-" .. i) == router.find("qwen"))
                assert(router.find("nobody-" .. i) == nil)
            end
        end
    end,
    ["a listed id is given back as the profile writes it"] = function()
        local model, id = router.find_listed("NVIDIA/NEMOTRON")
        assert(model.id == "nvidia/Nemotron" and id == "nvidia/Nemotron")
        assert(router.find_listed("qwen") == nil, "a substring is no id")
    end,
    ["an operator's name is one backend or all of a peer"] = function()
        local function names(name)
            local found = {}
            for i, backend in ipairs(router.named(name)) do
                found[i] = backend.name
            end
            return table.concat(found, " ")
        end
        assert(names("qwen") == "qwen")
        assert(names("gpu3") == "gpu3/a gpu3/b")
        assert(names("gpu3/b") == "gpu3/b")
        assert(names("gpu") == "")
    end,
}
