//! Who lives in the account.

use crate::account::{Account, At, GroupIndex, Mark, Side};
use crate::calendar::Calendar;
use crate::config::Config;
use crate::dice::Dice;
use crate::instance::{Instance, Verdict};
use crate::kind::{Home, Kind};
use crate::script::{Plan, Script};

/// What follows the assured kinds in every simulation that is large enough, so that each region and group has somebody.
const NEXT: [(Kind, At); 4] = [
    (Kind::PretrailQuiet, At::Second),
    (Kind::PretrailQuiet, At::Second),
    (Kind::Departed, At::Home),
    (Kind::DepartedDeletedGroup, At::Home),
];

/// Groups to choose from.
struct Homes {
    day: Vec<GroupIndex>,
    night: Vec<GroupIndex>,
    suspended: Vec<GroupIndex>,
    warm_pool: Vec<GroupIndex>,
    deleted: Vec<GroupIndex>,
    second: Vec<GroupIndex>,
    mixed: Vec<GroupIndex>,
    untagged: Vec<GroupIndex>,
}

impl Homes {
    fn of(account: &Account) -> Self {
        let ordinary = |side| {
            account.groups_where(|group| {
                let special =
                    group.is(Mark::WarmPool) || group.is(Mark::Deleted) || group.at != At::Home || group.tag.is_none();
                group.side == side && !special
            })
        };
        Self {
            day: ordinary(Side::Day),
            night: ordinary(Side::Night),
            suspended: account.groups_where(|group| group.is(Mark::Suspended)),
            warm_pool: account.groups_where(|group| group.is(Mark::WarmPool)),
            deleted: account.groups_where(|group| group.is(Mark::Deleted)),
            second: account.groups_where(|group| group.at == At::Second),
            mixed: account.groups_where(|group| group.is(Mark::Mixed)),
            untagged: account.groups_where(|group| group.tag.is_none() && group.at == At::Home),
        }
    }

    fn choose(&self, kind: Kind, at: At, assured: bool, dice: &mut Dice) -> Option<GroupIndex> {
        let groups = match kind.home() {
            Home::Nowhere => return None,
            Home::Suspended => &self.suspended,
            Home::WarmPool => &self.warm_pool,
            Home::Deleted => &self.deleted,
            Home::Second => &self.second,
            Home::Any if at == At::Second => &self.second,
            Home::Any => self.ordinary(kind, assured, dice),
        };
        dice.pick(groups).copied()
    }

    /// Nighttime is the one that is large when maintenance moves hosts.
    fn ordinary(&self, kind: Kind, assured: bool, dice: &mut Dice) -> &[GroupIndex] {
        match kind {
            Kind::Clean if assured => &self.day,
            Kind::LiveMigrated if assured => &self.night,
            Kind::Burst if assured => &self.mixed,
            Kind::AttachFurther if assured => &self.untagged,
            Kind::DepartedMigrated => &self.night,
            _ if dice.chance(30) => &self.untagged,
            _ if kind.is_moved() && dice.chance(700) => &self.night,
            _ if !kind.is_moved() && dice.chance(450) => &self.night,
            _ => &self.day,
        }
    }
}

/// Plans the life of every instance.
pub(crate) fn populate(config: &Config, account: &Account, calendar: &Calendar) -> Plan {
    let homes = Homes::of(account);
    let mut plan = Plan::default();
    for (number, index) in (0..config.instances).zip(0_u32..) {
        let mut dice = Dice::new(config.seed, u64::from(index) + 1);
        let assured = Kind::ALL.get(number).filter(|_| number < Kind::ASSURED).map(|kind| (*kind, home(*kind)));
        let next = || NEXT.get(number.checked_sub(Kind::ASSURED)?).copied();
        let (kind, at) = assured.or_else(next).unwrap_or_else(|| (further(config, &mut dice), At::Home));
        let group = homes.choose(kind, at, assured.is_some(), &mut dice);
        let mut instance = newcomer(kind, at, group, &mut dice);
        instance.state = group.is_some().then_some("InService");
        let script = Script { account, calendar, dice, index, instance, now: 0, order: 0, plan: &mut plan };
        script.play();
    }
    plan.events.sort_unstable_by_key(|event| (event.at, event.instance, event.order));
    plan.activities.sort_by_key(|activity| (std::cmp::Reverse(activity.start), activity.instance));
    plan
}

fn home(kind: Kind) -> At {
    if kind.home() == Home::Second { At::Second } else { At::Home }
}

/// A kind beyond the assured ones. Of those that a schedule launches, some are moved before the next one ends them.
fn further(config: &Config, dice: &mut Dice) -> Kind {
    if config.scheduled == 0 || !dice.chance(10 * u64::from(config.scheduled)) {
        return any(dice);
    }
    if dice.chance(20) { Kind::DepartedMigrated } else { Kind::Departed }
}

/// A kind by its weight.
fn any(dice: &mut Dice) -> Kind {
    let mut left = dice.below(Kind::ALL.iter().map(|kind| kind.weight()).sum());
    for kind in Kind::ALL {
        if left < kind.weight() {
            return kind;
        }
        left -= kind.weight();
    }
    Kind::Clean
}

fn newcomer(kind: Kind, at: At, group: Option<GroupIndex>, dice: &mut Dice) -> Instance {
    const TYPES: [&str; 4] = ["m7i.large", "m6i.large", "c7i.xlarge", "r7i.large"];
    Instance {
        // Old enough to have an ID of the old form.
        id: dice.instance_id(kind == Kind::PretrailMigratedTwice),
        kind,
        at,
        group,
        volumes: Vec::new(),
        zone: dice.pick(&['a', 'b', 'c']).copied().unwrap_or('a'),
        machine: dice.pick(&TYPES).copied().unwrap_or("m7i.large"),
        shared_key: kind == Kind::SharedKeyMigrated,
        state: None,
        launched: None,
        baseline_seen: false,
        sighted: false,
        verdict: Verdict::Unseen,
        reason: "",
        migrations: Vec::new(),
        reattachments: Vec::new(),
    }
}
