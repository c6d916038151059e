//! The made-up account: its regions, keys and Auto Scaling groups.

use crate::config::Config;
use crate::dice::Dice;
use crate::ids::Uuid;

/// The account whose key some volumes share.
const KEY_ACCOUNT: &str = "444455556666";

/// Where records are logged: one account and region.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) account: String,
    pub(crate) region: String,
}

/// An index into [`Account::places`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum At {
    /// The region of the fleet.
    Home,
    /// The neighbouring region. It holds a few old instances, and its trail begins after the last launch there.
    Second,
    /// The account of the shared key, in the region of the fleet.
    KeyAccount,
}

/// Which schedule a group follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Side {
    Day,
    Night,
}

/// What sets a group apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mark {
    Plain,
    /// `HealthCheck` and `ReplaceUnhealthy` are suspended: what stops running is not replaced.
    Suspended,
    /// Launches through EC2 Fleet.
    Mixed,
    WarmPool,
    /// Gone by the end of the window.
    Deleted,
}

/// An Auto Scaling group.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) side: Side,
    /// The value of its `Stack` tag.
    pub(crate) tag: Option<&'static str>,
    pub(crate) at: At,
    pub(crate) mark: Mark,
    /// The UUID in its ARN.
    pub(crate) uuid: Uuid,
    pub(crate) launch_template: String,
}

impl Group {
    pub(crate) fn is(&self, what: Mark) -> bool {
        self.mark == what
    }

    /// The stack that its tag names; a group without one, or deleted since, falls to `unassigned`.
    pub(crate) fn stack(&self) -> &'static str {
        if self.is(Mark::Deleted) { "unassigned" } else { self.tag.unwrap_or("unassigned") }
    }
}

/// An index into [`Account::groups`].
pub(crate) type GroupIndex = usize;

/// The account.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) partition: &'static str,
    home: Place,
    second: Place,
    keys: Place,
    pub(crate) groups: Vec<Group>,
    /// The ARN of the key of ordinary volumes at home.
    pub(crate) key: String,
    /// The same in the second region.
    pub(crate) second_key: String,
    /// The ARN of the key that belongs to the other account.
    pub(crate) shared_key: String,
    /// The ARN of a key that no volume uses.
    pub(crate) service_key: String,
}

const DAYTIME: Option<&str> = Some("Daytime");
const NIGHTTIME: Option<&str> = Some("Nighttime");

impl Account {
    pub(crate) fn new(config: &Config) -> Self {
        let mut dice = Dice::new(config.seed, u64::MAX);
        let (partition, neighbour) = neighbour(&config.region);
        let place = |account: &str, region: &str| Place { account: account.to_owned(), region: region.to_owned() };
        let key_account = if config.account == KEY_ACCOUNT { "777788889999" } else { KEY_ACCOUNT };
        let mut key =
            |account: &str, region: &str| format!("arn:{partition}:kms:{region}:{account}:key/{}", dice.uuid());
        Self {
            partition,
            key: key(&config.account, &config.region),
            second_key: key(&config.account, neighbour),
            shared_key: key(key_account, &config.region),
            service_key: key(&config.account, &config.region),
            home: place(&config.account, &config.region),
            second: place(&config.account, neighbour),
            keys: place(key_account, &config.region),
            groups: groups(&mut dice),
        }
    }

    pub(crate) fn place(&self, at: At) -> &Place {
        match at {
            At::Home => &self.home,
            At::Second => &self.second,
            At::KeyAccount => &self.keys,
        }
    }

    /// The groups that are so.
    pub(crate) fn groups_where(&self, is: impl Fn(&Group) -> bool) -> Vec<GroupIndex> {
        self.groups.iter().enumerate().filter(|(_, group)| is(group)).map(|(index, _)| index).collect()
    }
}

fn groups(dice: &mut Dice) -> Vec<Group> {
    let mut group = |name, side, tag| Group {
        name,
        side,
        tag,
        at: At::Home,
        mark: Mark::Plain,
        uuid: dice.uuid(),
        launch_template: format!("lt-0{:016x}", dice.bits()),
    };
    vec![
        group("day-web", Side::Day, DAYTIME),
        group("day-api", Side::Day, DAYTIME),
        Group { mark: Mark::Suspended, ..group("day-batch", Side::Day, DAYTIME) },
        Group { mark: Mark::Mixed, ..group("day-mixed", Side::Day, DAYTIME) },
        group("night-web", Side::Night, NIGHTTIME),
        Group { mark: Mark::Suspended, ..group("night-worker", Side::Night, NIGHTTIME) },
        group("night-cache", Side::Night, NIGHTTIME),
        Group { mark: Mark::WarmPool, ..group("night-pool", Side::Night, NIGHTTIME) },
        group("tools", Side::Day, None),
        Group { mark: Mark::Deleted, ..group("legacy-etl", Side::Night, NIGHTTIME) },
        Group { at: At::Second, ..group("night-standby-site", Side::Night, NIGHTTIME) },
    ]
}

/// The partition of a region and another region of it.
fn neighbour(region: &str) -> (&'static str, &'static str) {
    let other = |first, second| if region == first { second } else { first };
    if region.starts_with("cn-") {
        ("aws-cn", other("cn-northwest-1", "cn-north-1"))
    } else if region.starts_with("us-gov-") {
        ("aws-us-gov", other("us-gov-west-1", "us-gov-east-1"))
    } else {
        ("aws", other("eu-west-1", "us-east-1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_region_is_another_one_of_the_same_partition() {
        for region in ["eu-central-1", "eu-west-1", "cn-northwest-1", "us-gov-west-1"] {
            let account = Account::new(&Config { region: region.to_owned(), ..Config::default() });
            assert_ne!(account.place(At::Second).region, region);
        }
        assert_eq!(neighbour("cn-north-1"), ("aws-cn", "cn-northwest-1"));
    }
}
