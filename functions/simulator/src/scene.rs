//! What fills the fields of a template.

use crate::account::{Account, Place};
use crate::event::{Action, Answer};
use crate::ids::Uuid;
use crate::ids::VolumeId;
use crate::instance::Instance;
use crate::template::{Field, put_number};

/// What fills the fields of a template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) account: &'a Account,
    /// Where the call was made.
    pub(crate) place: &'a Place,
    /// The account that logs the record.
    pub(crate) recipient: &'a str,
    pub(crate) at: i64,
    /// `at` as in a record, and the same at the beginning of its hour.
    pub(crate) time: &'a str,
    pub(crate) hour: &'a str,
    pub(crate) event: Uuid,
    pub(crate) request: Uuid,
    pub(crate) token: Uuid,
    pub(crate) shared: Option<Uuid>,
    pub(crate) instance: &'a Instance,
    pub(crate) volume: VolumeId,
    pub(crate) action: Option<Action>,
    /// Name the grantee of a grant in the form of older records.
    pub(crate) old_grantee: bool,
}

impl Scene<'_> {
    /// Appends the value of a field.
    pub(crate) fn put(&self, field: Field, out: &mut Vec<u8>) {
        let place = self.place;
        match field {
            Field::Time => put(self.time, out),
            Field::Hour => put(self.hour, out),
            Field::EpochMillis => put_number(self.at * 1000, out),
            Field::Account => put(&place.account, out),
            Field::Region => put(&place.region, out),
            Field::Partition => put(self.account.partition, out),
            Field::Recipient => put(self.recipient, out),
            Field::Shared => {
                if let Some(shared) = self.shared {
                    put("\"sharedEventID\":\"", out);
                    shared.put(out);
                    put("\",", out);
                }
            }
            Field::Event => self.event.put(out),
            Field::Request => self.request.put(out),
            Field::Token => self.token.put(out),
            Field::Instance => self.instance.id.put(out),
            Field::Volume => self.volume.put(out),
            Field::Key => put(self.key(), out),
            Field::KeyAccount => put(self.key_account(), out),
            Field::ServiceKey => put(&self.account.service_key, out),
            Field::Grantee => self.put_grantee(out),
            Field::Answer => put(self.answer(), out),
            Field::Group => put(self.group(), out),
            Field::GroupTag => self.put_group_tag(out),
            Field::GroupTagSpecification => self.put_group_tag_specification(out),
            Field::LaunchTemplate => put(self.launch_template(), out),
            Field::Zone => {
                put(&place.region, out);
                out.extend_from_slice(self.instance.zone.encode_utf8(&mut [0; 4]).as_bytes());
            }
            Field::Type => put(self.instance.machine, out),
            Field::CurrentState => put(self.states().0, out),
            Field::PreviousState => put(self.states().1, out),
        }
    }

    fn key(&self) -> &str {
        if self.instance.shared_key {
            &self.account.shared_key
        } else if self.place.region == self.account.place(crate::account::At::Second).region {
            &self.account.second_key
        } else {
            &self.account.key
        }
    }

    fn key_account(&self) -> &str {
        let owner = if self.instance.shared_key { crate::account::At::KeyAccount } else { self.instance.at };
        &self.account.place(owner).account
    }

    fn group(&self) -> &str {
        self.instance.group.and_then(|group| self.account.groups.get(group)).map_or("none", |group| group.name)
    }

    fn launch_template(&self) -> &str {
        let group = self.instance.group.and_then(|group| self.account.groups.get(group));
        group.map_or("lt-0a1b2c3d4e5f60718", |group| &group.launch_template)
    }

    fn put_group_tag(&self, out: &mut Vec<u8>) {
        if self.instance.group.is_some() {
            put("{\"key\":\"aws:autoscaling:groupName\",\"value\":\"", out);
            put(self.group(), out);
            put("\"},", out);
        }
    }

    fn put_group_tag_specification(&self, out: &mut Vec<u8>) {
        if self.instance.group.is_some() {
            put("\"tagSpecificationSet\":{\"items\":[{\"resourceType\":\"instance\",\"tags\":[", out);
            put("{\"key\":\"aws:autoscaling:groupName\",\"value\":\"", out);
            put(self.group(), out);
            put("\"}]}]},", out);
        }
    }

    fn put_grantee(&self, out: &mut Vec<u8>) {
        if self.old_grantee {
            put(&self.place.account, out);
            put(":aws:ec2-infrastructure:", out);
        } else {
            for part in ["arn:", self.account.partition, ":sts::", &self.place.account] {
                put(part, out);
            }
            put(":assumed-role/aws:ec2-infrastructure/", out);
        }
        self.instance.id.put(out);
    }

    /// The error of a Decrypt. AWS KMS API Reference, "Decrypt", section "Errors".
    fn answer(&self) -> &'static str {
        match self.action {
            Some(Action::Decrypt(_, Answer::Denied)) => {
                "\"errorCode\":\"AccessDenied\",\"errorMessage\":\"The ciphertext refers to a customer master key that \
                 does not exist, does not exist in this region, or you are not allowed to access.\","
            }
            Some(Action::Decrypt(_, Answer::InvalidState)) => {
                "\"errorCode\":\"KMSInvalidStateException\",\"errorMessage\":\"The key is pending deletion.\","
            }
            Some(Action::Decrypt(_, Answer::DryRun)) => {
                "\"errorCode\":\"DryRunOperationException\",\"errorMessage\":\"The request would have succeeded, but the \
                 DryRun option is set.\","
            }
            _ => "",
        }
    }

    /// The current and the previous state in the answer of a state change. Amazon EC2 API Reference, section "Instance state".
    fn states(&self) -> (&'static str, &'static str) {
        const RUNNING: &str = "{\"code\":16,\"name\":\"running\"}";
        match self.action {
            Some(Action::Start(_)) => ("{\"code\":0,\"name\":\"pending\"}", "{\"code\":80,\"name\":\"stopped\"}"),
            Some(Action::Stop(_)) => ("{\"code\":64,\"name\":\"stopping\"}", RUNNING),
            Some(Action::Terminate) => ("{\"code\":32,\"name\":\"shutting-down\"}", RUNNING),
            _ => (RUNNING, RUNNING),
        }
    }
}

fn put(text: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
impl Scene<'static> {
    /// A scene to fill templates with.
    pub(crate) fn example() -> Self {
        let config = crate::Config::default();
        let account: &'static Account = Box::leak(Box::new(Account::new(&config)));
        let mut dice = crate::dice::Dice::new(1, 1);
        let instance = crate::instance::Instance {
            id: dice.instance_id(false),
            kind: crate::Kind::Clean,
            at: crate::account::At::Home,
            group: Some(0),
            volumes: vec![dice.volume_id(false)],
            zone: 'a',
            machine: "m7i.large",
            shared_key: false,
            state: None,
            launched: None,
            baseline_seen: false,
            sighted: false,
            verdict: crate::instance::Verdict::Clean,
            reason: "",
            migrations: Vec::new(),
            reattachments: Vec::new(),
        };
        let place = account.place(crate::account::At::Home);
        Self {
            account,
            place,
            recipient: &place.account,
            at: 1_778_493_600,
            time: "2026-05-11T10:00:00Z",
            hour: "2026-05-11T10:00:00Z",
            event: dice.uuid(),
            request: dice.uuid(),
            token: dice.uuid(),
            shared: Some(dice.uuid()),
            instance: Box::leak(Box::new(instance)),
            volume: dice.volume_id(false),
            action: None,
            old_grantee: false,
        }
    }
}
