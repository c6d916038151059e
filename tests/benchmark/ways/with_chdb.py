"""The sightings of a trail with chdb, which is ClickHouse in one process: `python3 with_chdb.py FOLDER`.

Of the ways to read such files this took the least CPU time: whole files as `RawBLOB`, then one `JSONExtract` into
tuples of the fields that are needed. With `JSONEachRow` and explicit columns it took half as long again, with
`JSONAsString` nearly twice as long, with `JSONExtractArrayRaw` and a look into each record more than that. One thread.
"""

import json
import sys

import chdb

import answer

FIELDS = """Array(Tuple(
    eventName String, eventSource String, eventTime String, eventID String, sharedEventID String, errorCode String,
    requestParameters String,
    userIdentity Tuple(
        type String, arn String, principalId String,
        sessionContext Tuple(sessionIssuer Tuple(userName String)))))"""

# The hosts' Decrypts are picked first, and only they are looked at more closely.
QUERY = f"""
SELECT
    records,
    groupArrayIf(
        (arn[2], volume, if(r.sharedEventID = '', r.eventID, r.sharedEventID), r.eventTime),
        r.errorCode = ''
        AND r.userIdentity.type = 'AssumedRole'
        AND notEmpty(arn)
        AND r.userIdentity.principalId = arn[1] || ':aws:ec2-infrastructure:' || arn[2]
        AND NOT JSONExtractBool(r.requestParameters, 'omitted')
        AND JSONExtractKeys(r.requestParameters, 'encryptionContext') = ['aws:ebs:id']
        AND match(volume, '^{answer.VOLUME}$')
    ) AS sightings
FROM (
    SELECT
        records,
        arrayJoin(decrypts) AS r,
        extractGroups(r.userIdentity.arn, '^{answer.ARN}$') AS arn,
        JSONExtractString(r.requestParameters, 'encryptionContext', 'aws:ebs:id') AS volume
    FROM (
        SELECT
            count() AS records,
            groupArrayIf(
                r,
                r.eventName = 'Decrypt'
                AND r.eventSource = 'kms.amazonaws.com'
                AND r.userIdentity.sessionContext.sessionIssuer.userName = 'aws:ec2-infrastructure'
            ) AS decrypts
        FROM (
            SELECT arrayJoin(JSONExtract(text, 'Records', '{FIELDS}')) AS r
            FROM file('{sys.argv[1]}/{answer.LOG_FILES}', 'RawBLOB', 'text String')
        )
    )
)
GROUP BY records
SETTINGS max_threads = 1, output_format_json_quote_64bit_integers = 0
"""

row = json.loads(str(chdb.query(QUERY, "JSONEachRow")))
answer.write(row["records"], row["sightings"])
