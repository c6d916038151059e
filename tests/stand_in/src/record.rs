//! A CloudTrail record and what it is found by.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::time;

/// Why a record is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// It is in the account's log files.
    Filed,
    /// Another delivery of a record that is there.
    Again,
    /// A grant by an AWS-internal principal that comes with a migration.
    InternalGrant,
    /// One more Decrypt of a launch.
    Burst,
}

/// A record.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) text: Box<str>,
    pub(crate) event_id: Box<str>,
    /// Seconds of the Unix epoch.
    pub(crate) at: i64,
    /// When sources begin to show it.
    pub(crate) delivered: i64,
    pub(crate) name: Arc<str>,
    /// `kms.amazonaws.com` and so on.
    pub(crate) source: Arc<str>,
    pub(crate) user: Option<Arc<str>>,
    pub(crate) access_key: Option<Box<str>>,
    /// Type and ARN.
    pub(crate) resources: Vec<(Arc<str>, Arc<str>)>,
    pub(crate) read_only: Option<bool>,
    /// The caller is EC2's infrastructure role.
    pub(crate) is_infrastructure: bool,
    pub(crate) origin: Origin,
    /// Index of the place where it is logged.
    pub(crate) place: usize,
    /// Index of the log file that holds it.
    pub(crate) file: usize,
}

/// A log file.
#[derive(Debug, Deserialize)]
pub(crate) struct LogFile<'a> {
    #[serde(rename = "Records", borrow)]
    pub(crate) records: Vec<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Fields {
    #[serde(rename = "eventID")]
    event_id: String,
    event_time: String,
    event_name: String,
    event_source: String,
    #[serde(default)]
    read_only: Option<bool>,
    #[serde(default)]
    user_identity: Option<Identity>,
    #[serde(default)]
    resources: Option<Vec<Resource>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(default)]
    arn: Option<String>,
    #[serde(default)]
    user_name: Option<String>,
    #[serde(default)]
    access_key_id: Option<String>,
    #[serde(default)]
    session_context: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    #[serde(rename = "type", default)]
    kind: Option<String>,
    #[serde(rename = "ARN", default)]
    arn: Option<String>,
}

impl Record {
    /// Reads a record; `None` if it is nothing that a lookup could show.
    pub(crate) fn read(text: &str, place: usize, file: usize, names: &mut Names) -> Option<Self> {
        let fields: Fields = serde_json::from_str(text).ok()?;
        let identity = fields.user_identity.unwrap_or_default();
        let issuer = identity.session_context.as_ref().and_then(|context| context.pointer("/sessionIssuer/userName"));
        let at = time::parse(&fields.event_time)?;
        let resources = fields.resources.unwrap_or_default();
        Some(Self {
            text: text.into(),
            event_id: fields.event_id.into(),
            at,
            delivered: at,
            name: names.get(&fields.event_name),
            source: names.get(&fields.event_source),
            is_infrastructure: issuer.and_then(Value::as_str) == Some("aws:ec2-infrastructure"),
            user: user_name(&identity).map(|name| names.get(&name)),
            access_key: identity.access_key_id.map(Into::into),
            resources: resources
                .into_iter()
                .filter_map(|row| Some((names.get(&row.kind.unwrap_or_default()), names.get(&row.arn?))))
                .collect(),
            read_only: fields.read_only,
            origin: Origin::Filed,
            place,
            file,
        })
    }

    pub(crate) fn is_of_kms(&self) -> bool {
        &*self.source == "kms.amazonaws.com"
    }
}

/// The user name that a lookup shows: of a role's session its name, as in recorded answers.
fn user_name(identity: &Identity) -> Option<String> {
    let last = |arn: &String| arn.rsplit('/').next().map(str::to_owned);
    match identity.kind.as_deref() {
        Some("AssumedRole") => identity.arn.as_ref().and_then(last),
        Some("Root") => Some("root".to_owned()),
        _ => identity.user_name.clone(),
    }
}

/// Texts that many records share.
#[derive(Debug, Default)]
pub(crate) struct Names(std::collections::HashSet<Arc<str>>);

impl Names {
    fn get(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.0.get(name) {
            return Arc::clone(known);
        }
        let name: Arc<str> = name.into();
        self.0.insert(Arc::clone(&name));
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(identity: &Value) -> Option<String> {
        let text = serde_json::json!({
            "eventID": "e", "eventTime": "2026-05-11T10:00:00Z", "eventName": "N", "eventSource": "s",
            "userIdentity": identity,
        });
        let record = Record::read(&text.to_string(), 0, 0, &mut Names::default()).expect("is a record");
        record.user.map(|name| name.to_string())
    }

    #[test]
    fn the_user_of_a_session_is_its_name() {
        let session = serde_json::json!({
            "type": "AssumedRole", "arn": "arn:aws:sts::1:assumed-role/aws:ec2-infrastructure/i-0123456789abcdef0"
        });
        assert_eq!(user(&session).as_deref(), Some("i-0123456789abcdef0"));
        assert_eq!(user(&serde_json::json!({"type": "IAMUser", "userName": "eva"})).as_deref(), Some("eva"));
        assert_eq!(user(&serde_json::json!({"type": "AWSService", "invokedBy": "ebs.amazonaws.com"})), None);
    }
}
