#!/usr/bin/env python3
"""Does the official `openai` client work unchanged against a gateway?

Runs by itself (`python conformance_openai.py`, exit status 1 when something failed) and under pytest. Environment:
    TOLLGATE_GATEWAY_URL       the inference API, with or without /v1
    TOLLGATE_KEY               a valid API key
    TOLLGATE_MODEL             a chat model (default: the first listed without `embed` in its name)
    TOLLGATE_EMBEDDING_MODEL   an embeddings model (default: none, its tests are skipped)
    TOLLGATE_REAL_ENGINE       set when the engine is no simulator: tests that make the engine fail are skipped
"""

import os
import sys
import traceback
import unittest

import openai

from observing import base_url

GATEWAY = base_url(os.environ.get("TOLLGATE_GATEWAY_URL", "http://127.0.0.1:8080"))
KEY = os.environ.get("TOLLGATE_KEY", "unset")
EMBEDDING_MODEL = os.environ.get("TOLLGATE_EMBEDDING_MODEL")
REAL_ENGINE = bool(os.environ.get("TOLLGATE_REAL_ENGINE"))


# Raised where a gateway or engine has nothing to test; pytest knows it as well.
Skipped = unittest.SkipTest


def client(key=KEY):
    return openai.OpenAI(base_url=GATEWAY, api_key=key, max_retries=0, timeout=30)


def model():
    named = os.environ.get("TOLLGATE_MODEL")
    return named or next(entry.id for entry in client().models.list().data if "embed" not in entry.id)


def question(settings=None):
    if settings and REAL_ENGINE:
        raise Skipped("a real engine does not fail on demand")
    marker = f" [[simulator {settings}]]" if settings else ""
    return [{"role": "user", "content": "Count from one to five." + marker}]


def check_sum(usage):
    assert usage.prompt_tokens > 0
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens


def raises(expected, call):
    try:
        call()
    except expected as error:
        return error
    raise AssertionError(f"expected {expected.__name__}, nothing was raised")


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


def main():
    failed = 0
    for name, test in sorted(globals().items()):
        if not name.startswith("test_"):
            continue
        try:
            test()
            print(f"ok    {name}")
        except Skipped as reason:
            print(f"skip  {name}: {reason}")
        except Exception:
            failed += 1
            print(f"FAIL  {name}")
            traceback.print_exc(file=sys.stdout)
    print("conformance with openai", openai.__version__, "FAILED" if failed else "passed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
