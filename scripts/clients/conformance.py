"""What the conformance scripts share: where to ask, how to expect an exception, how to run.

Environment of them all:
    TOLLGATE_GATEWAY_URL       the inference API, with or without /v1
    TOLLGATE_KEY               a valid API key
    TOLLGATE_MODEL             a chat model (default: the first listed without `embed` in its name)
    TOLLGATE_EMBEDDING_MODEL   an embeddings model (default: none, its tests are skipped)
    TOLLGATE_SPEECH_MODEL      a model whose speech the key's plan sells (default: none, its test is skipped)
    TOLLGATE_REAL_ENGINE       set when the engine is no simulator: tests that make the engine fail are skipped
"""

import asyncio
import functools
import os
import sys
import traceback
import unittest

GATEWAY = os.environ.get("TOLLGATE_GATEWAY_URL", "http://127.0.0.1:8080").rstrip("/").removesuffix("/v1")
KEY = os.environ.get("TOLLGATE_KEY", "unset")
EMBEDDING_MODEL = os.environ.get("TOLLGATE_EMBEDDING_MODEL")
SPEECH_MODEL = os.environ.get("TOLLGATE_SPEECH_MODEL")
REAL_ENGINE = bool(os.environ.get("TOLLGATE_REAL_ENGINE"))
TEXT = "Count from one to five."

# Raised where a gateway or engine has nothing to test; pytest knows it as well.
Skipped = unittest.SkipTest


def model(listed):
    """The model to ask; `listed` lists them all."""
    return os.environ.get("TOLLGATE_MODEL") or next(name for name in listed() if "embed" not in name)


def prompt(settings=None):
    """A prompt, with settings for the simulator that makes of it what they say."""
    if settings and REAL_ENGINE:
        raise Skipped("a real engine does not fail on demand")
    return TEXT + (f" [[simulator {settings}]]" if settings else "")


def raises(expected, call):
    """The exception that a call raises; anything but an `expected` one fails the test."""
    try:
        call()
    except expected as error:
        return error
    raise AssertionError(f"expected {expected}, nothing was raised")


def in_a_loop(test):
    """Makes a test of a coroutine, for runners that know no coroutines."""

    @functools.wraps(test)
    def whole():
        asyncio.run(test())

    return whole


def run(tests, name, version):
    """Runs every `test_…` of a module; the exit status is 1 when one failed."""
    failed = 0
    for title, test in sorted(tests.items()):
        if not title.startswith("test_"):
            continue
        try:
            test()
            print(f"ok    {title}")
        except Skipped as reason:
            print(f"skip  {title}: {reason}")
        except Exception:
            failed += 1
            print(f"FAIL  {title}")
            traceback.print_exc(file=sys.stdout)
    print("conformance with", name, version, "FAILED" if failed else "passed")
    return 1 if failed else 0
