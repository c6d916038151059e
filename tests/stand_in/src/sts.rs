//! STS: who somebody is, and roles of other accounts.

use serde_json::{Value, json};

use crate::hub::{Hub, unknown_operation};
use crate::time;
use crate::wire::{Answer, ApiError, Call};
use crate::xml;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

pub(crate) fn answer(hub: &Hub, call: &Call, id: &str) -> Answer {
    let result = match call.operation.as_str() {
        "GetCallerIdentity" => json!({
            "Arn": format!("arn:aws:sts::{}:assumed-role/analyzer/analyzer", call.account),
            "UserId": "AROAQ7ANALYZER0000001:analyzer",
            "Account": call.account,
        }),
        "AssumeRole" => assume(hub, call)?,
        _ => return Err(unknown_operation(call)),
    };
    Ok(xml::answer(&call.operation, NAMESPACE, &result, id))
}

/// Credentials of the role's account: the key is its ID, so that calls signed with them are calls in it.
fn assume(hub: &Hub, call: &Call) -> Result<Value, ApiError> {
    let text = |name: &str| call.params.get(name).unwrap_or_default();
    let (role, session) = (text("RoleArn"), text("RoleSessionName"));
    let mut parts = role.split(':');
    let account = parts.nth(4).filter(|account| account.len() == 12);
    let name = parts.next().and_then(|name| name.strip_prefix("role/"));
    let (Some(account), Some(name)) = (account, name) else {
        return Err(ApiError::new(400, "ValidationError", format!("{role} is invalid")));
    };
    if !(2..=64).contains(&session.len()) {
        return Err(ApiError::new(400, "ValidationError", "roleSessionName is invalid"));
    }
    let wanted = hub.live().switches.external_id.clone();
    if wanted.is_some_and(|wanted| call.params.get("ExternalId") != Some(&wanted)) {
        return Err(ApiError::denied(call));
    }
    // Credentials are kept by the system's clock.
    let expires = time::system_millis().div_euclid(1000) + 3600;
    let role_name = name.rsplit('/').next().unwrap_or(name);
    Ok(json!({
        "Credentials": {
            "AccessKeyId": account,
            "SecretAccessKey": "made-up",
            "SessionToken": "made-up",
            "Expiration": time::iso(expires),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": format!("AROAQ7ASSUMED00000001:{session}"),
            "Arn": format!("arn:aws:sts::{account}:assumed-role/{role_name}/{session}"),
        },
    }))
}
