#!/usr/bin/env python3
"""Do the engines' own dialects work unchanged through a gateway's /engines/{backend}/…, and its /v1/rerank?

Bedrock is asked with AWS's official client, the others as their users do who have no client: with HTTP. Runs by itself
(`python conformance_native.py`, exit status 1 when something failed) and under pytest. Environment beside what
stands in `conformance.py`:
    TOLLGATE_ENGINES           names of the backends that are there, each named as its kind; all tests of others are
                               skipped (default: all of them)
    TOLLGATE_ENGINE_PREFIX     what stands before an engine's own paths, `{}` for its name (default: `/engines/{}`;
                               empty asks an engine itself)
"""

import base64
import json
import os
import sys
import time
import urllib.error
import urllib.request

import botocore
import botocore.config
import botocore.eventstream
import botocore.exceptions
import botocore.session

from conformance import GATEWAY, KEY, TEXT, Skipped, prompt, raises, run
from conformance import model as named_model

KINDS = "tgi triton replicate gemini vertex bedrock sagemaker"
ENGINES = os.environ.get("TOLLGATE_ENGINES", KINDS).replace(",", " ").split()
PREFIX = os.environ.get("TOLLGATE_ENGINE_PREFIX", "/engines/{}")


def model():
    return named_model(lambda: [entry["id"] for entry in call("GET", "/v1/models").json["data"]])


def engine(name):
    """Where an engine's own paths begin."""
    if name not in ENGINES:
        raise Skipped(f"there is no backend {name}")
    return PREFIX.format(name)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def events(self):
        """The data of server-sent events, `[DONE]` left out."""
        blocks = [block.split("\n") for block in self.body.decode().split("\n\n")]
        events = [[line[5:].removeprefix(" ") for line in lines if line.startswith("data:")] for lines in blocks]
        return [json.loads("\n".join(data)) for data in events if data and data != ["[DONE]"]]

    @property
    def frames(self):
        """The messages of an AWS event stream; a wrong checksum raises."""
        buffer = botocore.eventstream.EventStreamBuffer()
        buffer.add_data(self.body)
        return list(buffer)


def call(method, path, body=None, headers=None, key=KEY):
    request = urllib.request.Request(
        GATEWAY + path,
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={"authorization": f"Bearer {key}", "content-type": "application/json", **(headers or {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return Answer(response)
    except urllib.error.HTTPError as error:
        return Answer(error)


def post(path, body, **more):
    answer = call("POST", path, body, **more)
    assert answer.status < 300, f"{answer.status}: {answer.body[:500]}"
    return answer


# Rerankers


def test_rerank():
    asked = {"model": model(), "query": TEXT, "documents": ["one", "two", "three"], "top_n": 2}
    answer = post("/v1/rerank", asked).json
    assert len(answer["results"]) == 2
    assert answer["results"][0]["relevance_score"] >= answer["results"][1]["relevance_score"]
    assert answer["usage"]["total_tokens"] > 0


# Text Generation Inference


def test_tgi_generate():
    asked = {"inputs": prompt(), "parameters": {"max_new_tokens": 5, "details": True}}
    answer = post(engine("tgi") + "/generate", asked)
    assert answer.json["details"]["generated_tokens"] == 5
    assert answer.headers["x-generated-tokens"] == "5" and int(answer.headers["x-prompt-tokens"]) > 0
    bare = post(engine("tgi") + "/generate", {"inputs": prompt(), "parameters": {"max_new_tokens": 5}}).json
    assert bare["generated_text"] == answer.json["generated_text"]


def test_tgi_generate_stream():
    asked = {"inputs": prompt(), "parameters": {"max_new_tokens": 5, "details": True}}
    events = post(engine("tgi") + "/generate_stream", asked).events
    assert len(events) == 5
    assert events[-1]["details"]["generated_tokens"] == 5
    assert "".join(event["token"]["text"] for event in events) == events[-1]["generated_text"]


def test_tgi_error():
    answer = call("POST", engine("tgi") + "/generate", {"inputs": prompt("status=429")})
    assert answer.status in (429, 503) and answer.json["error"]


# Triton


def test_triton_generate():
    asked = {"text_input": prompt(), "max_tokens": 5, "return_num_input_tokens": True, "return_num_output_tokens": True}
    answer = post(engine("triton") + f"/v2/models/{model()}/generate", asked).json
    assert answer["num_output_tokens"] == 5 and answer["num_input_tokens"] > 0
    events = post(engine("triton") + f"/v2/models/{model()}/generate_stream", asked).events
    assert "".join(event["text_output"] for event in events) == answer["text_output"]


# Replicate


def test_replicate_prediction():
    base = engine("replicate")
    asked = {"input": {"prompt": prompt(), "max_tokens": 5}}
    waited = post(f"{base}/v1/models/{REPLICATE_MODEL}/predictions", asked, headers={"prefer": "wait"}).json
    assert waited["status"] == "succeeded" and waited["metrics"]["output_token_count"] == 5
    created = post(f"{base}/v1/models/{REPLICATE_MODEL}/predictions", asked).json
    assert created["status"] == "starting"
    deadline = time.monotonic() + 30
    prediction = created
    while prediction["status"] in ("starting", "processing"):
        assert time.monotonic() < deadline
        prediction = call("GET", f"{base}/v1/predictions/{created['id']}").json
    assert prediction["output"] == waited["output"]


def test_replicate_cancel():
    base = engine("replicate")
    asked = {"input": {"prompt": prompt("decode_ms=1000"), "max_tokens": 5}}
    created = post(f"{base}/v1/models/{REPLICATE_MODEL}/predictions", asked).json
    assert post(f"{base}/v1/predictions/{created['id']}/cancel", {}).json["status"] == "canceled"


REPLICATE_MODEL = os.environ.get("TOLLGATE_REPLICATE_MODEL", "sim/small")


# Gemini and Vertex

GOOGLE = {
    "gemini": "/v1beta/models/{}",
    "vertex": "/v1/projects/p/locations/eu/publishers/google/models/{}",
}


def google(name, verb):
    return engine(name) + GOOGLE[name].format(model()) + ":" + verb


def contents(settings=None):
    return {
        "contents": [{"role": "user", "parts": [{"text": prompt(settings)}]}],
        "generationConfig": {"maxOutputTokens": 5},
    }


def check_google(name):
    plain = post(google(name, "generateContent"), contents()).json
    usage = plain["usageMetadata"]
    assert usage["candidatesTokenCount"] == 5
    assert usage["totalTokenCount"] == usage["promptTokenCount"] + 5
    text = plain["candidates"][0]["content"]["parts"][0]["text"]
    events = post(google(name, "streamGenerateContent") + "?alt=sse", contents()).events
    array = post(google(name, "streamGenerateContent"), contents()).json
    for chunks in (events, array):
        parts = [chunk["candidates"][0]["content"]["parts"][0]["text"] for chunk in chunks]
        assert "".join(parts) == text
        assert chunks[-1]["usageMetadata"]["candidatesTokenCount"] == 5


def test_gemini():
    check_google("gemini")


def test_vertex():
    check_google("vertex")


def test_gemini_error():
    answer = call("POST", google("gemini", "generateContent"), contents("status=503"))
    assert answer.status == 503 and answer.json["error"]["code"] == 503


def test_gemini_key_header():
    headers = {"x-goog-api-key": KEY, "content-type": "application/json"}
    request = urllib.request.Request(
        GATEWAY + google("gemini", "generateContent"), data=json.dumps(contents()).encode(), headers=headers
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        assert response.status == 200


# Bedrock, with AWS's client: its endpoint carries the path. By itself it shows bearer keys only over TLS.


def bedrock(key=KEY):
    shared = botocore.session.Session().create_client(
        "bedrock-runtime",
        region_name="eu-central-1",
        endpoint_url=GATEWAY + engine("bedrock"),
        config=botocore.config.Config(
            signature_version=botocore.UNSIGNED, retries={"total_max_attempts": 1}, read_timeout=30
        ),
    )

    def show_key(params, **_):
        params["headers"]["authorization"] = f"Bearer {key}"

    shared.meta.events.register("before-call.bedrock-runtime", show_key)
    return shared


def conversation(settings=None):
    return {
        "modelId": model(),
        "messages": [{"role": "user", "content": [{"text": prompt(settings)}]}],
        "inferenceConfig": {"maxTokens": 5},
    }


def test_bedrock_converse():
    answer = bedrock().converse(**conversation())
    assert answer["usage"]["outputTokens"] == 5 and answer["usage"]["inputTokens"] > 0
    text = answer["output"]["message"]["content"][0]["text"]
    events = list(bedrock().converse_stream(**conversation())["stream"])
    deltas = [event["contentBlockDelta"]["delta"]["text"] for event in events if "contentBlockDelta" in event]
    assert "".join(deltas) == text
    assert events[-1]["metadata"]["usage"] == answer["usage"]


def test_bedrock_errors():
    error = raises(botocore.exceptions.ClientError, lambda: bedrock().converse(**conversation("status=503")))
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 503, error.response
    error = raises(botocore.exceptions.ClientError, lambda: bedrock("sk-wrong").converse(**conversation()))
    assert error.response["ResponseMetadata"]["HTTPStatusCode"] in (401, 403)
    stream = bedrock().converse_stream(**conversation("fail_after=2 fail_status=429"))["stream"]
    error = raises(botocore.exceptions.EventStreamError, lambda: list(stream))
    # The quota is the operator's, not the client's.
    assert error.response["Error"]["Code"] == "serviceUnavailableException", error.response


def test_bedrock_invoke():
    body = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 5,
        "messages": [{"role": "user", "content": prompt()}],
    }
    answer = bedrock().invoke_model(modelId=model(), body=json.dumps(body))
    headers = answer["ResponseMetadata"]["HTTPHeaders"]
    assert headers["x-amzn-bedrock-output-token-count"] == "5"
    message = json.loads(answer["body"].read())
    assert message["usage"]["output_tokens"] == 5
    parts = list(bedrock().invoke_model_with_response_stream(modelId=model(), body=json.dumps(body))["body"])
    events = [json.loads(part["chunk"]["bytes"]) for part in parts]
    assert events[-1]["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 5
    texts = [event["delta"]["text"] for event in events if event["type"] == "content_block_delta"]
    assert "".join(texts) == message["content"][0]["text"]


# SageMaker


def test_sagemaker_invocations():
    path = engine("sagemaker") + f"/endpoints/{model()}/"
    asked = {"inputs": prompt("completion_tokens=40"), "parameters": {"max_new_tokens": 40, "details": True}}
    answer = post(path + "invocations", asked).json
    assert answer["details"]["generated_tokens"] == 40
    stream = post(path + "invocations-response-stream", asked)
    assert all(frame.headers[":event-type"] == "PayloadPart" for frame in stream.frames)
    joined = b"".join(frame.payload for frame in stream.frames).decode()
    events = [json.loads(line[5:]) for line in joined.split("\n") if line.startswith("data:")]
    assert events[-1]["generated_text"] == answer["generated_text"]


def test_bytes_of_events_are_base64():
    # What botocore hides: a chunk's payload holds the model's event in base64.
    body = {"prompt": prompt(), "max_gen_len": 3}
    frames = post(engine("bedrock") + f"/model/{model()}/invoke-with-response-stream", body).frames
    last = json.loads(base64.b64decode(json.loads(frames[-1].payload)["bytes"]))
    assert last["amazon-bedrock-invocationMetrics"]["outputTokenCount"] == 3


if __name__ == "__main__":
    sys.exit(run(globals(), "botocore", botocore.__version__))
