local engine_metrics = require "trtllm.engine_metrics"
local metrics = require "trtllm.metrics"
local router = require "trtllm.router"

local qwen = router.by_name.qwen

return {
    ["labels cannot be left"] = function()
        assert(metrics.escape('a"b\\c\nd') == 'a\\"b\\\\c\\nd')
    end,
    ["an engine's series get their labels first and keep their own"] = function()
        local text = engine_metrics.labelled(
            '# HELP x y\r\nx 1\r\nx{} 2\r\nx{a="}"} 3\r\ngarbage\r\n{evil} 1\r\n# comment\r\n',
            qwen)
        local labels = 'model="nvidia/Qwen3-30B-A3B-FP4",backend="qwen"'
        assert(text == "# HELP x y\nx{" .. labels .. "} 1\nx{" .. labels .. "} 2\nx{"
            .. labels .. ',a="}"} 3', text)
    end,
    ["the history has every model and as many periods as a quarter of an hour"] = function()
        local from, period, models = metrics.history()
        assert(period == 10 and from <= ngx.now() - 880)
        for _, model in ipairs(router.models) do
            assert(#models[model.id].tokens == 90)
        end
    end,
}
