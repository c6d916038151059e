//! `warm-pool.json`: `aws autoscaling describe-warm-pool`.

use serde::Serialize;
use serde_json::{Value, json};

use super::Member;
use crate::account::Account;
use crate::instance::Instance;

/// The output of `describe-warm-pool`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct WarmPool<'a> {
    warm_pool_configuration: Value,
    instances: Vec<Member<'a>>,
}

/// The instances that wait in the pool at the end.
pub(super) fn warm_pool<'a>(account: &'a Account, instances: &[Instance]) -> WarmPool<'a> {
    let member = |instance: &Instance| {
        let group = account.groups.get(instance.group?)?;
        Some(Member::of(account, group, instance))
    };
    WarmPool {
        warm_pool_configuration: configuration(),
        instances: instances.iter().filter(|instance| instance.is_in_warm_pool()).filter_map(member).collect(),
    }
}

/// A pool whose instances come back to it on scale-in.
pub(super) fn configuration() -> Value {
    json!({"MinSize": 0, "PoolState": "Stopped", "InstanceReusePolicy": {"ReuseOnScaleIn": true}})
}
