#!/bin/sh
# The sightings of a trail with gzip and jq: `sh with_jq.sh FOLDER`.
# The first jq sees one log file at a time and passes on a number of records and the sightings; the second adds up.
set -eu
find "$1"/AWSLogs/*/CloudTrail -name '*.json.gz' -print0 | xargs -0 gzip -dc | jq -c '
  (.Records | length),
  (.Records[]
    | select(.eventName == "Decrypt" and .eventSource == "kms.amazonaws.com")
    | .userIdentity as $caller
    | select(
        $caller.type == "AssumedRole"
        and $caller.sessionContext.sessionIssuer.userName == "aws:ec2-infrastructure"
        and ((.errorCode // "") == "")
        and .requestParameters.omitted != true
        and (.requestParameters.encryptionContext | type == "object" and keys == ["aws:ebs:id"])
      )
    | .requestParameters.encryptionContext["aws:ebs:id"] as $volume
    | select($volume | test("^vol-([0-9a-fA-F]{8}|[0-9a-fA-F]{17})$"))
    | ($caller.arn
        | capture("^arn:aws[a-z-]*:sts::(?<account>[0-9]{12}):assumed-role/aws:ec2-infrastructure/(?<instance>.*)$")
      ) as $arn
    | select($arn.instance | test("^i-([0-9a-fA-F]{8}|[0-9a-fA-F]{17})$"))
    | select($caller.principalId == "\($arn.account):aws:ec2-infrastructure:\($arn.instance)")
    | [$arn.instance, $volume, (.sharedEventID // .eventID), .eventTime])
' | jq -c -s '
  (map(arrays) | unique_by(.[:3])) as $sightings
  | {
      records: (map(numbers) | add),
      sightings: ($sightings | length),
      times: ($sightings | group_by(.[:2]) | map([.[0][0], .[0][1], (map(.[3]) | unique)]))
    }
'
