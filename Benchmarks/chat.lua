-- wrk: POST one chat completion again and again. WRK_KEY and WRK_MODEL name the key and the model, WRK_STREAM=1 streams,
-- WRK_TOKENS says how many tokens the simulator makes: the marker in the prompt tells it.
local stream = ""
if os.getenv("WRK_STREAM") == "1" then
    stream = ',"stream":true,"stream_options":{"include_usage":true}'
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer " .. os.getenv("WRK_KEY")
wrk.body = string.format(
    '{"model":"%s","messages":[{"role":"user","content":"A toll, please. [[simulator completion_tokens=%s]]"}],"max_tokens":%s%s}',
    os.getenv("WRK_MODEL"), os.getenv("WRK_TOKENS"), os.getenv("WRK_TOKENS"), stream)

function done(summary, latency, requests)
    local failures = summary.errors.status + summary.errors.connect + summary.errors.read
        + summary.errors.write + summary.errors.timeout
    io.write(string.format("RESULT %d %d %d %d\n",
        summary.requests, summary.duration, latency:percentile(50), failures))
end
