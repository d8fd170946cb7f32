#!/usr/bin/env python3
"""Does the official `anthropic` client work unchanged against a gateway?

Runs by itself (`python conformance_anthropic.py`, exit status 1 when something failed) and under pytest. Its
environment stands in `conformance.py`.
"""

import sys

import anthropic

from conformance import GATEWAY, KEY, in_a_loop, prompt, raises, run
from conformance import model as named_model


def client(key=KEY, **more):
    return anthropic.Anthropic(base_url=GATEWAY, api_key=key, max_retries=0, timeout=30, **more)


def model():
    return named_model(lambda: [entry.id for entry in client().models.list().data])


def question(settings=None):
    return [{"role": "user", "content": prompt(settings)}]


TOOLS = [
    {
        "name": "say",
        "description": "Says a text.",
        "input_schema": {"type": "object", "properties": {"text": {"type": "string"}}},
    }
]


def test_plain_message():
    message = client().messages.create(model=model(), messages=question(), max_tokens=8)
    assert message.type == "message" and message.role == "assistant"
    assert message.content[0].type == "text" and message.content[0].text
    assert message.stop_reason in ("end_turn", "max_tokens")
    assert message.usage.input_tokens > 0 and 1 <= message.usage.output_tokens <= 8


def test_system_prompt_and_blocks_are_counted():
    bare = client().messages.create(model=model(), messages=question(), max_tokens=2)
    blocks = [{"role": "user", "content": [{"type": "text", "text": prompt()}]}]
    message = client().messages.create(model=model(), system="Be brief.", messages=blocks, max_tokens=2)
    assert message.usage.input_tokens > bare.usage.input_tokens


def test_cache_and_thinking():
    settings = "prompt_tokens=100 cached_tokens=30 cache_write_tokens=20 reasoning_tokens=3 completion_tokens=8"
    message = client().messages.create(model=model(), messages=question(settings), max_tokens=50)
    usage = message.usage
    assert (usage.input_tokens, usage.cache_read_input_tokens, usage.cache_creation_input_tokens) == (50, 30, 20)
    assert [block.type for block in message.content] == ["thinking", "text"]
    assert usage.output_tokens == 8


def test_streamed_message_with_the_helper():
    with client().messages.stream(model=model(), messages=question(), max_tokens=30) as stream:
        text = "".join(stream.text_stream)
        final = stream.get_final_message()
    plain = client().messages.create(model=model(), messages=question(), max_tokens=30)
    assert text == final.content[0].text == plain.content[0].text
    assert final.usage.output_tokens == plain.usage.output_tokens
    assert final.usage.input_tokens == plain.usage.input_tokens


def test_streamed_events():
    events = list(client().messages.create(model=model(), messages=question(), max_tokens=5, stream=True))
    kinds = [event.type for event in events]
    assert kinds[0] == "message_start" and kinds[-1] == "message_stop"
    delta = next(event for event in events if event.type == "message_delta")
    assert delta.usage.output_tokens == 5 and delta.delta.stop_reason == "max_tokens"


@in_a_loop
async def test_async_message_and_stream():
    async with anthropic.AsyncAnthropic(base_url=GATEWAY, api_key=KEY, max_retries=0, timeout=30) as shared:
        plain = await shared.messages.create(model=model(), messages=question(), max_tokens=8)
        async with shared.messages.stream(model=model(), messages=question(), max_tokens=8) as stream:
            text = "".join([part async for part in stream.text_stream])
    assert text == plain.content[0].text


def test_tool_use_plain_and_streamed():
    asked = {"messages": question("completion_tokens=6"), "max_tokens": 50, "tools": TOOLS}
    plain = client().messages.create(model=model(), tool_choice={"type": "any"}, **asked)
    assert plain.stop_reason == "tool_use"
    assert plain.content[0].name == "say" and plain.content[0].input["text"]
    with client().messages.stream(model=model(), tool_choice={"type": "tool", "name": "say"}, **asked) as stream:
        final = stream.get_final_message()
    assert final.content[0].input == plain.content[0].input


def test_count_tokens():
    counted = client().messages.count_tokens(model=model(), messages=question())
    message = client().messages.create(model=model(), messages=question(), max_tokens=2)
    assert counted.input_tokens == message.usage.input_tokens


def test_leaving_a_stream_and_asking_again():
    with client() as shared:
        with shared.messages.stream(model=model(), messages=question(), max_tokens=40) as stream:
            next(iter(stream.text_stream))
        assert shared.messages.create(model=model(), messages=question(), max_tokens=2).content


def test_wrong_key_is_an_authentication_error_in_anthropics_envelope():
    error = raises(
        anthropic.AuthenticationError,
        lambda: client("sk-wrong").messages.create(model="any", messages=question(), max_tokens=2),
    )
    assert error.body["type"] == "error" and error.body["error"]["type"] == "authentication_error"


def test_bearer_token_works_too():
    shared = anthropic.Anthropic(base_url=GATEWAY, auth_token=KEY, api_key=None, max_retries=0, timeout=30)
    assert shared.messages.create(model=model(), messages=question(), max_tokens=2).content


def test_unknown_model_is_not_found():
    error = raises(
        anthropic.NotFoundError,
        lambda: client().messages.create(model="no-such-model", messages=question(), max_tokens=2),
    )
    assert error.body["error"]["type"] == "not_found_error" and "no-such-model" in str(error)


def test_bad_body_is_a_bad_request():
    error = raises(
        anthropic.BadRequestError, lambda: client().messages.create(model=model(), messages=[], max_tokens=2)
    )
    assert error.body["error"]["type"] == "invalid_request_error"


def test_overloaded_engine():
    # The engine's trouble is told as the engine's or as the gateway's, always in Anthropic's envelope.
    for status in (529, 503, 500):
        error = raises(
            anthropic.APIStatusError,
            lambda: client().messages.create(model=model(), messages=question(f"status={status}"), max_tokens=2),
        )
        assert error.status_code >= 500 and error.body["type"] == "error"


def test_engine_refusing_with_429():
    error = raises(
        anthropic.APIStatusError,
        lambda: client().messages.create(model=model(), messages=question("status=429"), max_tokens=2),
    )
    assert error.status_code in (429, 503) and error.body["type"] == "error"


def test_engine_failing_midway_raises_in_the_stream():
    for settings in ("fail_after=3 fail_status=529", "cut_after=3"):
        stream = client().messages.create(model=model(), messages=question(settings), max_tokens=20, stream=True)
        seen = []
        raises(Exception, lambda: seen.extend(stream))
        assert seen[0].type == "message_start"


if __name__ == "__main__":
    sys.exit(run(globals(), "anthropic", anthropic.__version__))
