//! Targets: which accounts and regions to look at, and by which role.

use std::collections::BTreeSet;

use exposure_core::ids::{AccountId, Region};
use serde::Deserialize;

/// One account and some of its regions, as the setting `TARGETS` lists them:
/// `{"account": "111122223333", "regions": ["eu-central-1"], "roleArn": "arn:aws:iam::…", "externalId": "…"}`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Target {
    /// The account; the role's, or else the own one, where none is given.
    pub account: Option<AccountId>,
    /// The regions; none for the one that this runs in.
    pub regions: Vec<Region>,
    /// The role to take on there; none for the own credentials.
    pub role_arn: Option<String>,
    /// The external ID that the role asks for.
    pub external_id: Option<String>,
}

/// Targets that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// Not a list of targets.
    #[error("{0}; write a JSON list of {{\"account\", \"regions\", \"roleArn\", \"externalId\"}}")]
    NotAList(#[from] serde_json::Error),
    /// The list is empty.
    #[error("the list is empty; leave the setting out for this account and region")]
    Empty,
    /// A place is listed twice.
    #[error("{0} is listed twice")]
    Twice(String),
    /// The own credentials cannot look at another account.
    #[error("account {wanted} needs a roleArn: these credentials are of {own}")]
    NoRole {
        /// The account that is asked for.
        wanted: AccountId,
        /// The account of the credentials.
        own: AccountId,
    },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Written {
    account: Option<AccountId>,
    #[serde(default)]
    regions: Vec<Region>,
    role_arn: Option<String>,
    external_id: Option<String>,
}

impl TryFrom<Written> for Target {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { account, regions, role_arn, external_id } = written;
        let of_role = role_arn.as_deref().map(account_of_role).transpose()?;
        if let (Some(account), Some(of_role)) = (account, of_role)
            && account != of_role
        {
            return Err(format!("account {account} and a roleArn of account {of_role}"));
        }
        match (&external_id, &role_arn) {
            (Some(_), None) => return Err("an externalId without a roleArn".to_owned()),
            (Some(id), Some(_)) if !is_external_id(id) => {
                return Err("not an externalId (2 to 1224 letters, digits and +=,.@:/-_)".to_owned());
            }
            _ => {}
        }
        if let Some(twice) = first_repeated(&regions) {
            return Err(format!("region {twice} is listed twice"));
        }
        Ok(Self { account: account.or(of_role), regions, role_arn, external_id })
    }
}

impl Target {
    /// Reads the setting.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, TargetError> {
        let targets: Vec<Self> = serde_json::from_str(text)?;
        if targets.is_empty() {
            return Err(TargetError::Empty);
        }
        let place = |account: Option<AccountId>, region: &str| {
            let account = account.map_or_else(|| "this account".to_owned(), |account| account.to_string());
            format!("{account} {region}")
        };
        let places: Vec<String> = targets
            .iter()
            .flat_map(|target| match target.regions.as_slice() {
                [] => vec![place(target.account, "in this region")],
                regions => regions.iter().map(|region| place(target.account, region.as_str())).collect(),
            })
            .collect();
        first_repeated(&places).map_or(Ok(targets), |twice| Err(TargetError::Twice(twice.clone())))
    }

    /// The account that the target is, with credentials of account `own`.
    ///
    /// # Errors
    /// If it names another account and no role: what is read would be of the own one.
    pub fn account(&self, own: AccountId) -> Result<AccountId, TargetError> {
        match self.account {
            Some(wanted) if wanted != own && self.role_arn.is_none() => Err(TargetError::NoRole { wanted, own }),
            Some(account) => Ok(account),
            None => Ok(own),
        }
    }
}

/// The account of a role: `arn:<partition>:iam::<account>:role/<path and name>` (IAM User Guide, "IAM identifiers").
fn account_of_role(arn: &str) -> Result<AccountId, String> {
    let parts: Vec<&str> = arn.splitn(6, ':').collect();
    let account = match parts.as_slice() {
        ["arn", partition, "iam", "", account, role]
            if partition.starts_with("aws")
                && role.strip_prefix("role/").is_some_and(|name| !name.is_empty())
                && arn.len() <= 2_048
                && arn.bytes().all(|b| b.is_ascii_graphic()) =>
        {
            AccountId::new(account).ok()
        }
        _ => None,
    };
    let shown: String = arn.chars().take(80).collect();
    account.ok_or_else(|| format!("not a roleArn (arn:aws:iam::<12 digits>:role/<name>): {shown:?}"))
}

/// STS API, `AssumeRole`, `ExternalId`.
fn is_external_id(text: &str) -> bool {
    (2..=1_224).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"+=,.@:/-_".contains(&b))
}

fn first_repeated<T: Ord>(list: &[T]) -> Option<&T> {
    let mut seen = BTreeSet::new();
    list.iter().find(|item| !seen.insert(*item))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_read_as_they_are_written() {
        let text = r#"[
            {"regions": ["eu-central-1", "us-east-1"]},
            {"roleArn": "arn:aws-us-gov:iam::444455556666:role/path/reader", "externalId": "a.b:c/d-1"},
            {"account": "777788889999", "roleArn": "arn:aws:iam::777788889999:role/reader", "regions": ["eu-central-1"]}
        ]"#;
        let targets = Target::parse_list(text).expect("targets");
        let own = AccountId::new("111122223333").expect("an account");
        let accounts: Vec<String> = targets.iter().map(|t| t.account(own).expect("an account").to_string()).collect();
        assert_eq!(accounts, ["111122223333", "444455556666", "777788889999"]);
        assert_eq!(targets[0].regions.len(), 2);
        assert_eq!(targets[1].external_id.as_deref(), Some("a.b:c/d-1"));
    }

    #[test]
    fn what_is_wrong_with_a_target_is_said() {
        let table = [
            ("", "EOF"),
            ("{}", "JSON list"),
            ("[]", "leave the setting out"),
            (r#"[{"role": "x"}]"#, "unknown field `role`"),
            (r#"[{"account": "12"}]"#, "12 digits"),
            (r#"[{"regions": ["EU"]}]"#, "not a region"),
            (r#"[{"regions": ["eu-west-1", "eu-west-1"]}]"#, "region eu-west-1 is listed twice"),
            (r#"[{"regions": ["eu-west-1"]}, {"regions": ["eu-west-1"]}]"#, "this account eu-west-1 is listed twice"),
            ("[{}, {}]", "this account in this region is listed twice"),
            (r#"[{"roleArn": "reader"}]"#, "not a roleArn"),
            (r#"[{"roleArn": "arn:aws:iam::444455556666:role/"}]"#, "not a roleArn"),
            (r#"[{"roleArn": "arn:aws:iam::444455556666:user/x"}]"#, "not a roleArn"),
            (r#"[{"externalId": "abc"}]"#, "externalId without a roleArn"),
            (r#"[{"roleArn": "arn:aws:iam::444455556666:role/x", "externalId": "a b"}]"#, "not an externalId"),
            (
                r#"[{"account": "111122223333", "roleArn": "arn:aws:iam::444455556666:role/x"}]"#,
                "a roleArn of account 444455556666",
            ),
        ];
        assert!(table.len() > 10);
        for (text, said) in table {
            let error = Target::parse_list(text).expect_err(text).to_string();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn another_account_without_a_role_is_refused() {
        let targets = Target::parse_list(r#"[{"account": "444455556666"}]"#).expect("targets");
        let own = AccountId::new("111122223333").expect("an account");
        let error = targets[0].account(own).expect_err("no role").to_string();
        assert_eq!(error, "account 444455556666 needs a roleArn: these credentials are of 111122223333");
        assert!(targets[0].account(AccountId::new("444455556666").expect("an account")).is_ok());
    }
}
