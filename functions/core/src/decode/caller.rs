//! Who called: the hosts' own role, Auto Scaling, a customer, or AWS itself.

use serde::Deserialize;

use crate::ids::{AccountId, InstanceId};

use super::INFRASTRUCTURE_ROLE as ROLE;
use super::record::{Fields, Text};

/// `userIdentity` (CloudTrail User Guide, "CloudTrail userIdentity element").
#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct UserIdentity<'a> {
    #[serde(borrow, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow)]
    principal_id: Option<Text<'a>>,
    #[serde(borrow)]
    arn: Option<Text<'a>>,
    #[serde(borrow)]
    account_id: Option<Text<'a>>,
    #[serde(borrow)]
    invoked_by: Option<Text<'a>>,
    #[serde(borrow)]
    session_context: Option<SessionContext<'a>>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", default)]
struct SessionContext<'a> {
    #[serde(borrow)]
    session_issuer: Option<SessionIssuer<'a>>,
}

#[derive(Deserialize, Default, Clone)]
#[serde(rename_all = "camelCase", default)]
struct SessionIssuer<'a> {
    #[serde(borrow)]
    user_name: Option<Text<'a>>,
    #[serde(borrow)]
    arn: Option<Text<'a>>,
}

impl<'a> UserIdentity<'a> {
    pub(super) fn of(fields: &Fields<'a>) -> Self {
        fields.caller.clone().or_else(|| super::record::read(fields.user_identity)).unwrap_or_default()
    }

    fn issuer(&self) -> Option<&SessionIssuer<'a>> {
        self.session_context.as_ref()?.session_issuer.as_ref()
    }

    /// The account that the caller belongs to.
    pub(super) fn account(&self) -> Option<AccountId> {
        AccountId::new(self.account_id.as_deref()?).ok()
    }

    /// The instance, if the caller is the host that carries it: the role `aws:ec2-infrastructure` in a session named
    /// for the instance, by type, ARN, principal and issuer alike. A customer's role name cannot hold a colon.
    pub(super) fn infrastructure(&self) -> Option<(AccountId, InstanceId)> {
        let caller = infrastructure_arn(self.arn.as_deref()?)?;
        let agree = self.kind.as_deref() == Some("AssumedRole")
            && self.principal_id.as_deref().and_then(infrastructure_principal) == Some(caller)
            && self.issuer().and_then(|i| i.user_name.as_deref()) == Some(ROLE);
        agree.then_some(caller)
    }

    /// Whether Auto Scaling called, as itself or through its service-linked role.
    pub(super) fn is_auto_scaling(&self) -> bool {
        const SERVICE: &str = "autoscaling.amazonaws.com";
        let by_role = self.issuer().and_then(|i| i.arn.as_deref()).is_some_and(|arn| {
            arn.split_once(":role/aws-service-role/").is_some_and(|(_, path)| path.split('/').next() == Some(SERVICE))
        });
        let by_name = self.issuer().and_then(|i| i.user_name.as_deref()).is_some_and(|name| {
            name == "AWSServiceRoleForAutoScaling" || name.starts_with("AWSServiceRoleForAutoScaling_")
        });
        by_role || by_name || self.invoked_by.as_deref() == Some(SERVICE)
    }

    /// Whether a customer or Auto Scaling called (rule 3), not AWS for its own ends: no service principal, no
    /// role of AWS's own, no other service's linked role.
    pub(super) fn is_customer_or_auto_scaling(&self) -> bool {
        if self.is_auto_scaling() {
            return true;
        }
        let by_aws = self.issuer().is_some_and(|issuer| {
            issuer.user_name.as_deref().is_some_and(|name| name.starts_with("aws:"))
                || issuer.arn.as_deref().is_some_and(|arn| arn.contains(":role/aws-service-role/"))
        });
        let by_aws = by_aws || self.arn.as_deref().is_some_and(|arn| arn.contains(":assumed-role/aws:"));
        !by_aws && !matches!(self.kind.as_deref(), None | Some("AWSService" | "Unknown"))
    }
}

/// Account and instance of a grantee, in either form that `CreateGrant` has been seen with.
pub(super) fn grantee(principal: &str) -> Option<(AccountId, InstanceId)> {
    infrastructure_arn(principal).or_else(|| infrastructure_principal(principal))
}

/// `arn:<partition>:sts::<account>:assumed-role/aws:ec2-infrastructure/<instance>`.
fn infrastructure_arn(arn: &str) -> Option<(AccountId, InstanceId)> {
    let (partition, rest) = arn.strip_prefix("arn:")?.split_once(':')?;
    let partition_valid =
        partition.starts_with("aws") && partition.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
    let (account, role) = rest.strip_prefix("sts::")?.split_once(':')?;
    let (role, instance) = role.strip_prefix("assumed-role/")?.split_once('/')?;
    let caller = (AccountId::new(account).ok()?, InstanceId::new(instance).ok()?);
    (partition_valid && role == ROLE).then_some(caller)
}

/// `<account>:aws:ec2-infrastructure:<instance>`.
fn infrastructure_principal(principal: &str) -> Option<(AccountId, InstanceId)> {
    let (account, rest) = principal.split_once(':')?;
    let instance = rest.strip_prefix(ROLE)?.strip_prefix(':')?;
    Some((AccountId::new(account).ok()?, InstanceId::new(instance).ok()?))
}
