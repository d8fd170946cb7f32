#!/usr/bin/env python3
"""Does the official `openai` client work unchanged against a gateway, on every surface that both know?

Runs by itself (`python conformance_openai.py`, exit status 1 when something failed) and under pytest. Its environment
stands in `conformance.py`. Surfaces beside chat are asked for with the same model.
"""

import io
import json
import sys
import time

import openai

from conformance import EMBEDDING_MODEL, GATEWAY, KEY, SPEECH_MODEL, Skipped, in_a_loop, prompt, raises, run
from conformance import model as named_model


def client(key=KEY):
    return openai.OpenAI(base_url=GATEWAY + "/v1", api_key=key, max_retries=0, timeout=30)


def async_client():
    return openai.AsyncOpenAI(base_url=GATEWAY + "/v1", api_key=KEY, max_retries=0, timeout=30)


def model():
    return named_model(lambda: [entry.id for entry in client().models.list().data])


def question(settings=None):
    return [{"role": "user", "content": prompt(settings)}]


def check_sum(usage):
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def test_plain_chat():
    answer = client().chat.completions.create(model=model(), messages=question(), max_tokens=8)
    assert answer.object == "chat.completion"
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].finish_reason in ("stop", "length")
    assert 1 <= answer.usage.completion_tokens <= 8
    check_sum(answer.usage)


def test_every_answer_has_a_request_id():
    raw = client().chat.completions.with_raw_response.create(model=model(), messages=question(), max_tokens=2)
    if not raw.headers.get("x-request-id"):
        raise Skipped("no x-request-id header: this is an engine, not a gateway")
    other = client().chat.completions.with_raw_response.create(model=model(), messages=question(), max_tokens=2)
    assert raw.headers["x-request-id"] != other.headers["x-request-id"]


def test_stream_without_include_usage_shows_no_usage():
    chunks = list(client().chat.completions.create(model=model(), messages=question(), max_tokens=8, stream=True))
    assert all(chunk.choices for chunk in chunks), "a chunk without choices leaked"
    assert all(chunk.usage is None for chunk in chunks), "usage leaked"
    assert chunks[-1].choices[0].finish_reason in ("stop", "length")
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def test_stream_with_include_usage_false_shows_no_usage():
    chunks = list(
        client().chat.completions.create(
            model=model(), messages=question(), max_tokens=8, stream=True, stream_options={"include_usage": False}
        )
    )
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)


def test_stream_with_include_usage_ends_with_usage():
    chunks = list(
        client().chat.completions.create(
            model=model(), messages=question(), max_tokens=8, stream=True, stream_options={"include_usage": True}
        )
    )
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert all(chunk.choices for chunk in chunks[:-1])
    check_sum(chunks[-1].usage)


def test_plain_and_streamed_say_the_same():
    plain = client().chat.completions.create(model=model(), messages=question(), max_tokens=8, temperature=0)
    chunks = client().chat.completions.create(
        model=model(), messages=question(), max_tokens=8, temperature=0, stream=True
    )
    streamed = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
    assert streamed == plain.choices[0].message.content


def test_leaving_a_stream_and_asking_again():
    with client() as shared:
        stream = shared.chat.completions.create(model=model(), messages=question(), max_tokens=40, stream=True)
        next(iter(stream))
        stream.close()
        assert shared.chat.completions.create(model=model(), messages=question(), max_tokens=2).choices


def test_continuous_usage_passes_through():
    options = {"include_usage": True, "continuous_usage_stats": True}
    chunks = list(
        client().chat.completions.create(
            model=model(), messages=question(), max_tokens=4, stream=True, stream_options=options
        )
    )
    assert chunks[-1].usage.completion_tokens == max(chunk.usage.completion_tokens for chunk in chunks if chunk.usage)


def test_plain_completion():
    answer = client().completions.create(model=model(), prompt="Once upon a time", max_tokens=6)
    assert answer.object == "text_completion"
    assert answer.choices[0].text
    check_sum(answer.usage)


def test_streamed_completion():
    chunks = list(client().completions.create(model=model(), prompt="Once upon a time", max_tokens=6, stream=True))
    assert all(chunk.choices and chunk.usage is None for chunk in chunks)
    assert "".join(chunk.choices[0].text for chunk in chunks)


def test_embeddings():
    if not EMBEDDING_MODEL:
        raise Skipped("TOLLGATE_EMBEDDING_MODEL is not set")
    # The client asks for base64 by itself and decodes it; asking for floats must give the same numbers.
    packed = client().embeddings.create(model=EMBEDDING_MODEL, input=["one", "two words"])
    floats = client().embeddings.create(model=EMBEDDING_MODEL, input=["one", "two words"], encoding_format="float")
    assert [item.index for item in packed.data] == [0, 1]
    for first, second in zip(packed.data, floats.data):
        assert len(first.embedding) == len(second.embedding)
        assert all(abs(one - two) < 1e-6 for one, two in zip(first.embedding, second.embedding))
    assert packed.usage.prompt_tokens == packed.usage.total_tokens > 0


def test_models_list():
    models = client().models.list()
    assert models.object == "list"
    assert model() in [entry.id for entry in models.data]


def test_wrong_key_is_an_authentication_error():
    error = raises(
        openai.AuthenticationError,
        lambda: client("sk-wrong").chat.completions.create(model="any", messages=question(), max_tokens=2),
    )
    assert error.status_code == 401


def test_unknown_model_is_not_found():
    error = raises(
        openai.NotFoundError,
        lambda: client().chat.completions.create(model="no-such-model", messages=question(), max_tokens=2),
    )
    assert "no-such-model" in str(error)


def test_bad_body_is_a_bad_request():
    raises(
        openai.BadRequestError,
        lambda: client().chat.completions.create(model=model(), messages=[], max_tokens=2),
    )
    raises(
        openai.BadRequestError,
        lambda: client().chat.completions.create(model=model(), messages=question(), max_tokens=-1),
    )


def test_engine_refusing_with_429_is_a_status_error():
    # The engine's own limit is not the tenant's: a gateway may say 429 or 503, never 500 or a hang.
    error = raises(
        openai.APIStatusError,
        lambda: client().chat.completions.create(model=model(), messages=question("status=429"), max_tokens=2),
    )
    assert error.status_code in (429, 503)
    assert isinstance(error, (openai.RateLimitError, openai.InternalServerError))


def test_engine_failing_is_an_internal_server_error():
    for status in (500, 503):
        error = raises(
            openai.InternalServerError,
            lambda: client().chat.completions.create(
                model=model(), messages=question(f"status={status}"), max_tokens=2
            ),
        )
        assert error.status_code >= 500


def test_engine_failing_midway_raises_in_the_stream():
    stream = client().chat.completions.create(
        model=model(), messages=question("fail_after=3"), max_tokens=20, stream=True
    )
    seen = []
    raises(openai.APIError, lambda: seen.extend(stream))


def test_engine_cutting_midway_raises_in_the_stream():
    stream = client().chat.completions.create(
        model=model(), messages=question("cut_after=3"), max_tokens=20, stream=True
    )
    seen = []
    raises(Exception, lambda: seen.extend(stream))


TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "say",
            "description": "Says a text.",
            "parameters": {"type": "object", "properties": {"text": {"type": "string"}}},
        },
    }
]


def test_tool_call():
    answer = client().chat.completions.create(
        model=model(), messages=question("completion_tokens=6"), tools=TOOLS, tool_choice="required"
    )
    call = answer.choices[0].message.tool_calls[0]
    assert answer.choices[0].finish_reason == "tool_calls"
    assert call.function.name == "say" and json.loads(call.function.arguments)["text"]


def test_streamed_tool_call_with_the_helper():
    with client().chat.completions.stream(
        model=model(),
        messages=question("completion_tokens=6"),
        tools=TOOLS,
        tool_choice="required",
        stream_options={"include_usage": True},
    ) as stream:
        kinds = {event.type for event in stream}
        final = stream.get_final_completion()
    assert "tool_calls.function.arguments.delta" in kinds
    assert json.loads(final.choices[0].message.tool_calls[0].function.arguments)["text"]
    check_sum(final.usage)


@in_a_loop
async def test_async_plain_and_streamed_chat():
    async with async_client() as shared:
        plain = await shared.chat.completions.create(model=model(), messages=question(), max_tokens=8)
        stream = await shared.chat.completions.create(model=model(), messages=question(), max_tokens=8, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == plain.choices[0].message.content


@in_a_loop
async def test_async_responses_helper():
    async with async_client() as shared:
        async with shared.responses.stream(model=model(), input=prompt(), max_output_tokens=30) as stream:
            async for _ in stream:
                pass
            final = await stream.get_final_response()
    assert final.usage.output_tokens <= 30


def check_response(response):
    usage = response.usage
    assert usage.input_tokens > 0 and usage.output_tokens > 0
    assert usage.total_tokens == usage.input_tokens + usage.output_tokens
    assert response.status in ("completed", "incomplete")
    assert response.output_text


def test_plain_response():
    response = client().responses.create(model=model(), input=prompt(), max_output_tokens=30)
    assert response.object == "response" and response.id
    check_response(response)


def test_streamed_response():
    events = list(client().responses.create(model=model(), input=prompt(), max_output_tokens=30, stream=True))
    assert events[0].type == "response.created"
    assert [event.sequence_number for event in events] == list(range(len(events)))
    deltas = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert events[-1].type in ("response.completed", "response.incomplete")
    check_response(events[-1].response)
    assert "".join(deltas) == events[-1].response.output_text


def test_response_that_calls_a_function():
    function = {"type": "function", "name": "say", "parameters": TOOLS[0]["function"]["parameters"], "strict": False}
    response = client().responses.create(
        model=model(), input=prompt("completion_tokens=6"), tools=[function], tool_choice="required"
    )
    call = next(item for item in response.output if item.type == "function_call")
    assert call.name == "say" and json.loads(call.arguments)["text"]


def test_response_with_reasoning():
    response = client().responses.create(model=model(), input=prompt("reasoning_tokens=4 completion_tokens=9"))
    assert response.usage.output_tokens_details.reasoning_tokens == 4
    assert [item.type for item in response.output] == ["reasoning", "message"]


def test_response_failing_midway_raises_in_the_stream():
    stream = client().responses.create(model=model(), input=prompt("fail_after=3"), stream=True)
    seen = []
    try:
        seen.extend(stream)
    except openai.APIError:
        return
    assert seen[-1].type in ("response.failed", "error"), f"ended with {seen[-1].type}"


def test_response_refused_by_the_engine():
    raises(openai.InternalServerError, lambda: client().responses.create(model=model(), input=prompt("status=503")))
    raises(openai.BadRequestError, lambda: client().responses.create(model=model(), input=[]))


def test_pictures():
    answer = client().images.generate(model=model(), prompt=prompt(), n=2)
    assert len(answer.data) == 2 and all(picture.b64_json for picture in answer.data)
    assert answer.usage.output_tokens > 0
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_streamed_picture():
    events = list(client().images.generate(model=model(), prompt=prompt(), stream=True, partial_images=2))
    assert [event.type.split(".")[1] for event in events] == ["partial_image", "partial_image", "completed"]
    assert events[-1].usage.output_tokens > 0 and events[-1].b64_json


def sound(milliseconds=1500):
    return ("count.wav", io.BytesIO(bytes(32 * milliseconds)), "audio/wav")


def test_transcription():
    answer = client().audio.transcriptions.create(model=model(), file=sound(), prompt=prompt())
    assert answer.text and answer.usage.type == "tokens"
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


def test_transcription_by_seconds_and_as_text():
    answer = client().audio.transcriptions.create(
        model=model(), file=sound(), prompt=prompt("transcription_usage=duration")
    )
    assert answer.usage.type == "duration" and answer.usage.seconds == 2
    verbose = client().audio.transcriptions.create(model=model(), file=sound(), response_format="verbose_json")
    assert verbose.duration == 1.5
    assert client().audio.transcriptions.create(model=model(), file=sound(), response_format="text")


def test_streamed_transcription():
    events = list(client().audio.transcriptions.create(model=model(), file=sound(), prompt=prompt(), stream=True))
    deltas = [event.delta for event in events if event.type == "transcript.text.delta"]
    assert events[-1].type == "transcript.text.done"
    assert events[-1].text == "".join(deltas)


def test_speech():
    if not SPEECH_MODEL:
        raise Skipped("TOLLGATE_SPEECH_MODEL is not set")
    answer = client().audio.speech.create(model=SPEECH_MODEL, input=prompt(), voice="alloy")
    assert len(answer.read()) > 0
    with client().audio.speech.with_streaming_response.create(
        model=SPEECH_MODEL, input=prompt("completion_tokens=50"), voice="alloy", response_format="pcm"
    ) as stream:
        assert stream.headers["content-type"].startswith("audio/")
        assert sum(len(part) for part in stream.iter_bytes(1000)) == 50 * 160


def test_one_model():
    assert client().models.retrieve(model()).id == model()
    raises(openai.NotFoundError, lambda: client().models.retrieve("no-such-model"))


def test_files_and_batches():
    lines = [
        {
            "custom_id": f"line-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": model(), "messages": question(), "max_tokens": number},
        }
        for number in (1, 2, 3)
    ]
    content = "\n".join(json.dumps(line) for line in lines).encode()
    shared = client()
    try:
        file = shared.files.create(file=("lines.jsonl", content), purpose="batch")
    except openai.NotFoundError as error:
        if error.code == "batches_not_available":
            raise Skipped("no engine behind this gateway keeps files") from None
        raise
    assert file.bytes == len(content) and shared.files.retrieve(file.id).id == file.id
    assert shared.files.content(file.id).read() == content
    batch = shared.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"for": "a test"}
    )
    deadline = time.monotonic() + 30
    while batch.status not in ("completed", "failed", "expired", "cancelled"):
        assert time.monotonic() < deadline, f"the batch is still {batch.status}"
        time.sleep(0.1)
        batch = shared.batches.retrieve(batch.id)
    assert batch.status == "completed" and batch.request_counts.completed == 3, batch
    answers = [json.loads(line) for line in shared.files.content(batch.output_file_id).text.splitlines()]
    tokens = {answer["custom_id"]: answer["response"]["body"]["usage"]["completion_tokens"] for answer in answers}
    assert tokens == {"line-1": 1, "line-2": 2, "line-3": 3}
    assert batch.metadata == {"for": "a test"}, batch.metadata
    assert batch.id in [one.id for one in shared.batches.list(limit=10)]
    assert file.id in [one.id for one in shared.files.list()]
    other = shared.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
    )
    assert shared.batches.cancel(other.id).id == other.id
    assert shared.files.delete(file.id).deleted
    raises(openai.NotFoundError, lambda: shared.files.retrieve(file.id))
    raises(openai.NotFoundError, lambda: shared.batches.retrieve("batch_none"))
    bad = json.dumps({**lines[0], "url": "/v1/nothing"}).encode()
    error = raises(openai.BadRequestError, lambda: shared.files.create(file=("bad.jsonl", bad), purpose="batch"))
    assert error.param == "url" and "Line 1" in error.message, error


if __name__ == "__main__":
    sys.exit(run(globals(), "openai", openai.__version__))
