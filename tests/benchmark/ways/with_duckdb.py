"""The sightings of a trail with DuckDB: `python3 with_duckdb.py FOLDER`.

Of the ways to read such files this took the least CPU time: whole documents with `read_json_objects`, then one
`from_json` that picks the fields and leaves the nested ones as JSON. With `read_json` and explicit columns it took ten
times as long, with `->>` on each record nearly twice as long. One thread, which takes less CPU time than several.
"""

import sys

import duckdb

import answer

# Nested fields stay JSON: only a few records need them.
FIELDS = """{"Records": [{
    "eventName": "VARCHAR", "eventSource": "VARCHAR", "eventTime": "VARCHAR", "eventID": "VARCHAR",
    "sharedEventID": "VARCHAR", "errorCode": "VARCHAR", "requestParameters": "JSON", "userIdentity": "JSON"
}]}"""

# The hosts' Decrypts are picked first, and only they are looked at more closely.
QUERY = r"""
WITH scanned AS MATERIALIZED (
    SELECT
        count(*) AS records,
        list(r) FILTER (
            r.eventName = 'Decrypt'
            AND r.eventSource = 'kms.amazonaws.com'
            AND (r.userIdentity->>'$.sessionContext.sessionIssuer.userName') = 'aws:ec2-infrastructure'
        ) AS decrypts
    FROM (
        SELECT unnest(from_json(json, $fields).Records) AS r
        FROM read_json_objects($files, format = 'newline_delimited', maximum_object_size = 67108864)
    )
), decrypts AS (
    SELECT
        r,
        regexp_extract(r.userIdentity->>'$.arn', '^' || $arn || '$', ['account', 'instance']) AS caller,
        r.requestParameters->'$.encryptionContext' AS context,
        r.requestParameters->>'$.encryptionContext."aws:ebs:id"' AS volume
    FROM (SELECT unnest(decrypts) AS r FROM scanned)
)
SELECT
    (SELECT records FROM scanned),
    list((caller.instance, volume, coalesce(nullif(r.sharedEventID, ''), r.eventID), r.eventTime))
FROM decrypts
WHERE
    coalesce(r.errorCode, '') = ''
    AND (r.userIdentity->>'$.type') = 'AssumedRole'
    AND caller.instance <> ''
    AND (r.userIdentity->>'$.principalId') = caller.account || ':aws:ec2-infrastructure:' || caller.instance
    AND coalesce(r.requestParameters->>'$.omitted', 'false') <> 'true'
    AND json_keys(context) = ['aws:ebs:id']
    AND regexp_full_match(volume, $volume)
"""

con = duckdb.connect(config={"threads": 1, "preserve_insertion_order": False})
values = {"files": f"{sys.argv[1]}/{answer.LOG_FILES}", "fields": FIELDS, "arn": answer.ARN, "volume": answer.VOLUME}
query = QUERY
for name, value in values.items():
    query = query.replace(f"${name}", "'" + value.replace("'", "''") + "'")
records, sightings = con.execute(query).fetchone()
answer.write(records, sightings or [])
