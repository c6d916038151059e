//! What a trail's event selectors let through, of what the analysis needs. Pure.

use aws_sdk_cloudtrail::types::{AdvancedEventSelector, AdvancedFieldSelector, EventSelector, ReadWriteType};

/// A kind of record that the analysis needs.
struct Needed {
    source: &'static str,
    name: &'static str,
    read_only: bool,
}

/// The signal, and the two that explain it best.
const NEEDED: [Needed; 3] = [
    Needed { source: "kms.amazonaws.com", name: "Decrypt", read_only: true },
    Needed { source: "kms.amazonaws.com", name: "CreateGrant", read_only: false },
    Needed { source: "ec2.amazonaws.com", name: "RunInstances", read_only: false },
];

/// What selectors do to the records that the analysis needs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Selected {
    /// Which are not let through.
    pub(super) hidden: Vec<&'static str>,
    /// Why, as far as one setting is to blame.
    pub(super) why: Vec<&'static str>,
    /// Whether there are conditions that could not be judged.
    pub(super) doubtful: bool,
}

/// Judges selectors. A trail without any takes all management events.
pub(super) fn judge(basic: &[EventSelector], advanced: &[AdvancedEventSelector]) -> Selected {
    if basic.is_empty() && advanced.is_empty() {
        return Selected::default();
    }
    let passes = |needed: &Needed| {
        basic.iter().any(|selector| basic_passes(selector, needed))
            || advanced.iter().any(|selector| advanced_passes(selector, needed))
    };
    let hidden: Vec<&str> = NEEDED.iter().filter(|needed| !passes(needed)).map(|needed| needed.name).collect();
    let why = if hidden.is_empty() { Vec::new() } else { reasons(basic, advanced) };
    let doubtful = advanced.iter().flat_map(AdvancedEventSelector::field_selectors).any(|field| !is_known(field));
    Selected { hidden, why, doubtful }
}

fn basic_passes(selector: &EventSelector, needed: &Needed) -> bool {
    let excluded = selector.exclude_management_event_sources().iter().any(|source| source == needed.source);
    let of_kind = match selector.read_write_type() {
        Some(ReadWriteType::ReadOnly) => needed.read_only,
        Some(ReadWriteType::WriteOnly) => !needed.read_only,
        _ => true,
    };
    selector.include_management_events().unwrap_or(true) && of_kind && !excluded
}

fn advanced_passes(selector: &AdvancedEventSelector, needed: &Needed) -> bool {
    let fields = selector.field_selectors();
    // Every selector names a category (CloudTrail API, `AdvancedFieldSelector`).
    fields.iter().any(|field| field.field() == "eventCategory") && fields.iter().all(|field| holds(field, needed))
}

fn is_known(field: &AdvancedFieldSelector) -> bool {
    matches!(field.field(), "eventCategory" | "eventSource" | "eventName" | "readOnly" | "eventType")
        || field.field().starts_with("resources.")
}

fn holds(field: &AdvancedFieldSelector, needed: &Needed) -> bool {
    let value = match field.field() {
        "eventCategory" => "Management",
        "eventSource" => needed.source,
        "eventName" => needed.name,
        "readOnly" => {
            if needed.read_only {
                "true"
            } else {
                "false"
            }
        }
        "eventType" => "AwsApiCall",
        // Whatever these say, it may hold for the records that are needed.
        _ => return true,
    };
    let any = |patterns: &[String], is: fn(&str, &str) -> bool| patterns.iter().any(|pattern| is(value, pattern));
    let equals: fn(&str, &str) -> bool = |value, pattern| value == pattern;
    let starts: fn(&str, &str) -> bool = |value, pattern| value.starts_with(pattern);
    let ends: fn(&str, &str) -> bool = |value, pattern| value.ends_with(pattern);
    let wanted = [(field.equals(), equals), (field.starts_with(), starts), (field.ends_with(), ends)];
    let unwanted = [(field.not_equals(), equals), (field.not_starts_with(), starts), (field.not_ends_with(), ends)];
    let is_wanted = wanted.iter().all(|(list, _)| list.is_empty()) || wanted.iter().any(|(list, is)| any(list, *is));
    is_wanted && !unwanted.iter().any(|(list, is)| any(list, *is))
}

/// The settings that hide something.
fn reasons(basic: &[EventSelector], advanced: &[AdvancedEventSelector]) -> Vec<&'static str> {
    let has = |is: fn(&EventSelector) -> bool| basic.iter().any(is);
    let mut reasons = Vec::new();
    if has(|s| s.exclude_management_event_sources().iter().any(|source| source == "kms.amazonaws.com")) {
        reasons.push("ExcludeManagementEventSources leaves out KMS");
    }
    if has(|s| s.read_write_type() == Some(&ReadWriteType::WriteOnly)) {
        reasons.push("ReadWriteType is WriteOnly: it keeps CreateGrant and drops every Decrypt");
    }
    if has(|s| s.read_write_type() == Some(&ReadWriteType::ReadOnly)) {
        reasons.push("ReadWriteType is ReadOnly: what explains a Decrypt is dropped");
    }
    if has(|s| s.include_management_events() == Some(false)) {
        reasons.push("IncludeManagementEvents is false");
    }
    if !advanced.is_empty() {
        reasons.push("its advanced event selectors leave them out (eventSource, readOnly or eventCategory)");
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &str, equals: &[&str], not_equals: &[&str]) -> AdvancedFieldSelector {
        let list =
            |values: &[&str]| Some(values.iter().map(|v| (*v).to_owned()).collect()).filter(|v: &Vec<_>| !v.is_empty());
        let builder = AdvancedFieldSelector::builder().field(name);
        builder.set_equals(list(equals)).set_not_equals(list(not_equals)).build().expect("a selector")
    }

    fn advanced(fields: Vec<AdvancedFieldSelector>) -> AdvancedEventSelector {
        let fields = [vec![field("eventCategory", &["Management"], &[])], fields].concat();
        AdvancedEventSelector::builder().set_field_selectors(Some(fields)).build().expect("a selector")
    }

    #[test]
    fn what_basic_selectors_hide_is_told() {
        let base = || EventSelector::builder().include_management_events(true);
        let table: [(EventSelector, &[&str]); 5] = [
            (base().build(), &[]),
            (base().read_write_type(ReadWriteType::WriteOnly).build(), &["Decrypt"]),
            (base().read_write_type(ReadWriteType::ReadOnly).build(), &["CreateGrant", "RunInstances"]),
            (base().exclude_management_event_sources("kms.amazonaws.com").build(), &["Decrypt", "CreateGrant"]),
            (base().include_management_events(false).build(), &["Decrypt", "CreateGrant", "RunInstances"]),
        ];
        for (selector, hidden) in table {
            let selected = judge(std::slice::from_ref(&selector), &[]);
            assert_eq!(selected.hidden, hidden, "{selector:?}");
            assert_eq!(selected.why.is_empty(), hidden.is_empty(), "{selector:?}");
        }
        assert_eq!(judge(&[], &[]), Selected::default());
    }

    #[test]
    fn what_advanced_selectors_hide_is_told() {
        let table: [(Vec<AdvancedFieldSelector>, &[&str]); 5] = [
            (vec![], &[]),
            (
                vec![field("eventSource", &[], &["kms.amazonaws.com", "rdsdata.amazonaws.com"])],
                &["Decrypt", "CreateGrant"],
            ),
            (vec![field("readOnly", &["false"], &[])], &["Decrypt"]),
            (vec![field("eventSource", &["kms.amazonaws.com"], &[])], &["RunInstances"]),
            (vec![field("userIdentity.arn", &["x"], &[])], &[]),
        ];
        for (fields, hidden) in table {
            let selected = judge(&[], &[advanced(fields.clone())]);
            assert_eq!(selected.hidden, hidden, "{fields:?}");
        }
        let data = AdvancedEventSelector::builder().field_selectors(field("eventCategory", &["Data"], &[])).build();
        assert_eq!(judge(&[], &[data.expect("a selector")]).hidden.len(), 3);
        assert!(judge(&[], &[advanced(vec![field("userIdentity.arn", &["x"], &[])])]).doubtful);
    }

    #[test]
    fn selectors_add_up() {
        let kms = advanced(vec![field("eventSource", &["kms.amazonaws.com"], &[])]);
        let rest = advanced(vec![field("eventSource", &[], &["kms.amazonaws.com"])]);
        assert_eq!(judge(&[], &[kms, rest]).hidden, Vec::<&str>::new());
    }
}
