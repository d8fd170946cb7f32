"""What a client saw of its requests: sends one through the official client and notes what came back.

Shared by the traffic scripts of this folder. An observation never guesses: an answer is `complete` only when its
end was seen, which for a stream is the `[DONE]` event and not merely the end of the connection.
"""

import json
import time

import openai


def base_url(gateway):
    """The `/v1` address of a gateway that is given with or without it."""
    gateway = gateway.rstrip("/")
    return gateway if gateway.endswith("/v1") else gateway + "/v1"


def client_for(gateway, key, timeout_seconds=30.0):
    """An official client that never retries by itself, so that one call is one request."""
    return openai.AsyncOpenAI(
        base_url=base_url(gateway), api_key=key, max_retries=0, timeout=timeout_seconds
    )


def new_observation(**facts):
    """An observation of a request that was not answered yet."""
    return {
        **facts,
        "request_id": None,
        "status": None,
        "outcome": "unknown",
        "complete": False,
        "usage": None,
        "text_chunks": 0,
        "service_tier": None,
        "finish_reason": None,
        "first_token_ms": None,
        "seconds": None,
        "error": None,
    }


async def observe(client, operation, body, observation, leave_after=None):
    """Sends one request and fills in its observation; never raises for what the gateway or the network does.

    operation: `chat`, `completions` or `embeddings`. leave_after: close a stream after so many chunks with text.
    """
    resource = {
        "chat": client.chat.completions,
        "completions": client.completions,
        "embeddings": client.embeddings,
    }[operation]
    started = time.monotonic()
    try:
        async with resource.with_streaming_response.create(**body) as response:
            observation["status"] = response.status_code
            observation["request_id"] = response.headers.get("x-request-id")
            if body.get("stream"):
                await _read_stream(response, observation, started, leave_after)
            else:
                _read_plain(json.loads(await response.read()), observation)
    except openai.APIStatusError as error:
        observation["status"] = error.status_code
        observation["request_id"] = error.response.headers.get("x-request-id")
        observation["outcome"] = "error"
        observation["error"] = type(error).__name__
    except (TypeError, NameError, AttributeError, LookupError):
        raise  # a mistake in these scripts, nothing the network did
    except Exception as error:  # connection refused, reset, timed out: all are facts to note, none ends the run
        observation["outcome"] = "broken" if observation["status"] else "unanswered"
        observation["error"] = type(error).__name__
    observation["seconds"] = round(time.monotonic() - started, 4)
    return observation


async def _read_stream(response, observation, started, leave_after):
    observation["outcome"] = "broken"
    async for line in response.iter_lines():
        if not line.startswith("data:"):
            continue
        data = line[5:].strip()
        if data == "[DONE]":
            if observation["error"] is None:
                observation["outcome"] = "complete"
                observation["complete"] = True
            return
        event = json.loads(data)
        if event.get("error"):
            observation["outcome"] = "error"
            observation["error"] = "error event"
            continue
        _note_event(event, observation, started)
        if leave_after is not None and observation["text_chunks"] >= leave_after:
            observation["outcome"] = "left"
            return


def _note_event(event, observation, started):
    if event.get("usage"):
        observation["usage"] = event["usage"]
    if event.get("service_tier"):
        observation["service_tier"] = event["service_tier"]
    for choice in event.get("choices") or []:
        delta = choice.get("delta") or {}
        if delta.get("content") or delta.get("reasoning") or choice.get("text"):
            observation["text_chunks"] += 1
            if observation["first_token_ms"] is None:
                observation["first_token_ms"] = round((time.monotonic() - started) * 1000, 2)
        if choice.get("finish_reason"):
            observation["finish_reason"] = choice["finish_reason"]


def _read_plain(answer, observation):
    observation["usage"] = answer.get("usage")
    observation["service_tier"] = answer.get("service_tier")
    choices = answer.get("choices") or []
    if choices:
        observation["finish_reason"] = choices[0].get("finish_reason")
    observation["outcome"] = "complete"
    observation["complete"] = True
