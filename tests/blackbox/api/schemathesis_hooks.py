"""What schemathesis cannot know of the API: what its formats mean, and which rules no schema can state."""

import json
import re

import schemathesis
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.specs.openapi import checks

schemathesis.openapi.format("cron", st.sampled_from(["0 2 * * *", "*/5 * * * *", "30 4 1,15 * 5", "@daily"]))
schemathesis.openapi.format("timezone", st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata"]))

# Rules about other fields, other records or the installation. Everything else must be in the schema.
BEYOND_A_SCHEMA = re.compile(
    "|".join(
        [
            r"must be a next_cursor of this list",
            r"exactly one of .* is needed",
            r"either .* are needed, or .*",
            r"cannot be tried together",
            r"is allowed with cron only",
            r"^is needed: (an http or https URL|a list of|it must be a (time|cron|duration|number|whole number))",
            r"is a tag that no monitor has: ",
            r"must be after since",
            r"must be before",
            r"later than from",
            r"there is no (monitor|channel|key) ",
            r"is not for channels of the kind",
            r"cannot be changed: it is",
            r"is allowed with template only",
            r"needs it: ",
            r"has no such setting",
            r"at least one monitor or tag is needed",
            r"cannot be together with",
            r"must be a partition from 0 to",
            r"is easy to guess: ",
            # Formats that schemathesis passes over where it tries the lengths of texts.
            r"no time zone of that name",
            r"^(a cron pattern has five fields|of the words that begin with @|the fields of the cron pattern)",
            r"^(minute|hour|day of the month|month|weekday) .+: \d+ to \d+",
        ]
    )
)


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    return value.encode(errors="replace") if isinstance(value, str) else json.dumps(value).encode()


def is_too_long(response):
    """The server refuses a head of more than 64 kB before it knows what it is for."""
    return response.status_code in (414, 431)


def is_beyond_a_schema(error):
    # The schema of an import knows nothing of its lines.
    return error["field"].startswith("line ") or BEYOND_A_SCHEMA.search(error["message"])


def is_positive(case):
    return case.meta is not None and case.meta.generation.mode == GenerationMode.POSITIVE


@schemathesis.check
def valid_requests_are_accepted(context, response, case):
    if not is_positive(case) or response.status_code < 400 or response.status_code in (404, 409, 412):
        return
    if is_too_long(response):
        return
    if (case.headers or {}).get("If-Match") == "":
        # schemathesis takes an empty header for one that is left out.
        return
    errors = json.loads(response.content).get("errors", [])
    within = [error for error in errors if not is_beyond_a_schema(error)]
    assert errors and not within, f"a valid request was refused: {response.text}"


@schemathesis.check
def invalid_requests_are_refused(context, response, case):
    if "" in (case.query or {}).values():
        # An empty parameter counts as not given.
        return
    if response.status_code == 412 or is_too_long(response):
        # The revision is looked at before the body.
        return
    checks.negative_data_rejection(context, response, case)


@schemathesis.check
def answers_are_as_described(context, response, case):
    if is_too_long(response):
        return
    checks.status_code_conformance(context, response, case)
    checks.content_type_conformance(context, response, case)
    checks.response_schema_conformance(context, response, case)
