//! Stacks: to which of a team's stacks a group belongs, and whether it is mitigated.

use std::collections::BTreeSet;

use regex::Regex;

use crate::fleet::Group;

/// The stack of groups that no tag and no rule names.
pub const UNASSIGNED: &str = "unassigned";
/// The stack of groups beyond the bound on stacks.
pub const OVERFLOW: &str = "(further stacks)";

/// How a group's stack is found: by its tag, else by rules on its name, else it is unassigned.
#[derive(Debug, Clone)]
pub struct StackRules {
    tag: String,
    mitigated_tag: String,
    rules: Vec<(Regex, String)>,
}

impl Default for StackRules {
    fn default() -> Self {
        Self::new(Self::DEFAULT_TAG)
    }
}

/// A rule that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StackRuleError {
    /// There is no `=`, or nothing before or after it.
    #[error("{0:?} is no rule: write REGEX=NAME, such as '^night-=Nighttime'")]
    Shape(String),
    /// The part before the `=` is no regular expression.
    #[error("{rule:?}: {source}")]
    Regex {
        /// The rule.
        rule: String,
        /// What is wrong with it.
        source: regex::Error,
    },
}

impl StackRules {
    /// The tag that names a stack unless another is asked for.
    pub const DEFAULT_TAG: &'static str = "Stack";
    /// The tag that marks a group as mitigated unless another is asked for.
    pub const MITIGATED_TAG: &'static str = "MigrationExposureMitigated";
    /// How many stacks are told apart; a tag with a value for each group must not make a metric for each.
    pub const MAX_STACKS: usize = 500;
    /// How many characters of a name are kept: the bound of a tag's value.
    const MAX_NAME: usize = 256;

    /// Stacks by the value of `tag`.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned(), mitigated_tag: Self::MITIGATED_TAG.to_owned(), rules: Vec::new() }
    }

    /// With another tag that marks a group as mitigated.
    #[must_use]
    pub fn mitigated_by(mut self, tag: &str) -> Self {
        tag.clone_into(&mut self.mitigated_tag);
        self
    }

    /// The tags of a group of this stack, mitigated or not: what [`StackRules::of_group`] and
    /// [`StackRules::is_mitigated`] read.
    #[must_use]
    pub fn tags(&self, stack: Option<&str>, mitigated: bool) -> Vec<(String, String)> {
        let stack = stack.map(|stack| (self.tag.clone(), stack.to_owned()));
        stack.into_iter().chain(mitigated.then(|| (self.mitigated_tag.clone(), "true".to_owned()))).collect()
    }

    /// Whether the instances of a group run the on-instance check, as its tag says: the loss of the IMDS item does them
    /// no harm. Whoever writes `false`, `no` or `0`, or nothing, does not mean that it is so.
    #[must_use]
    pub fn is_mitigated(&self, group: &Group) -> bool {
        let tagged = group.tags.iter().find(|(key, _)| *key == self.mitigated_tag);
        tagged.is_some_and(|(_, value)| {
            let value = value.trim().to_ascii_lowercase();
            !["", "false", "no", "0"].contains(&value.as_str())
        })
    }

    /// Adds a rule, `REGEX=NAME`. The name begins after the last `=`.
    ///
    /// # Errors
    /// If it is not of that form.
    pub fn add(&mut self, rule: &str) -> Result<(), StackRuleError> {
        let parts = rule.rsplit_once('=').filter(|(pattern, name)| !pattern.is_empty() && !name.is_empty());
        let (pattern, name) = parts.ok_or_else(|| StackRuleError::Shape(rule.to_owned()))?;
        let regex = Regex::new(pattern).map_err(|source| StackRuleError::Regex { rule: rule.to_owned(), source })?;
        self.rules.push((regex, bounded(name)));
        Ok(())
    }

    /// The stack of a group in the fleet.
    #[must_use]
    pub fn of_group(&self, group: &Group) -> String {
        let tagged = group.tags.iter().find(|(key, value)| *key == self.tag && !value.is_empty());
        tagged.map_or_else(|| self.of_name(group.name.as_str()), |(_, value)| bounded(value))
    }

    /// The stack of a group of which only the name is known.
    #[must_use]
    pub fn of_name(&self, name: &str) -> String {
        let rule = self.rules.iter().find(|(regex, _)| regex.is_match(name));
        rule.map_or_else(|| UNASSIGNED.to_owned(), |(_, stack)| stack.clone())
    }

    /// The stacks to tell apart: the first [`StackRules::MAX_STACKS`] by name.
    #[must_use]
    pub fn bounded(stacks: BTreeSet<String>) -> BTreeSet<String> {
        stacks.into_iter().take(Self::MAX_STACKS).collect()
    }
}

fn bounded(name: &str) -> String {
    name.chars().take(StackRules::MAX_NAME).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::AutoScalingGroupName;

    fn group(name: &str, tags: &[(&str, &str)]) -> Group {
        Group {
            name: AutoScalingGroupName::new(name).expect(name),
            arn: None,
            source: None,
            tags: tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            has_warm_pool: false,
        }
    }

    #[test]
    fn the_tag_comes_first_then_the_rules_in_their_order() {
        let mut rules = StackRules::default();
        rules.add("^night-=Nighttime").expect("a rule");
        rules.add("web=Web").expect("a rule");
        let table = [
            (group("night-web", &[("Stack", "Daytime")]), "Daytime"),
            (group("night-web", &[("stack", "Daytime")]), "Nighttime"),
            (group("night-web", &[("Stack", "")]), "Nighttime"),
            (group("day-web", &[]), "Web"),
            (group("day-batch", &[]), UNASSIGNED),
            (group("day-batch", &[("Stack", "=1+1")]), "=1+1"),
        ];
        assert_eq!(table.len(), 6);
        for (group, stack) in table {
            assert_eq!(rules.of_group(&group), stack, "{group:?}");
        }
    }

    #[test]
    fn a_group_is_mitigated_if_its_tag_says_so() {
        let rules = StackRules::default();
        let tag = StackRules::MITIGATED_TAG;
        let table = [
            ("true", true),
            ("yes", true),
            ("lifecycle-check 0.1", true),
            ("", false),
            (" ", false),
            ("false", false),
            ("False", false),
            ("no", false),
            ("0", false),
        ];
        assert_eq!(table.len(), 9);
        for (value, mitigated) in table {
            assert_eq!(rules.is_mitigated(&group("web", &[("Stack", "x"), (tag, value)])), mitigated, "{value:?}");
        }
        assert!(!rules.is_mitigated(&group("web", &[("Stack", "true")])));
        let rules = StackRules::default().mitigated_by("Checked");
        assert!(!rules.is_mitigated(&group("web", &[(tag, "true")])));
        assert!(rules.is_mitigated(&group("web", &[("Checked", "true")])));
    }

    #[test]
    fn a_rule_must_have_both_sides() {
        let mut rules = StackRules::default();
        for bad in ["", "night", "=Nighttime", "night=", "(=Nighttime"] {
            assert!(rules.add(bad).is_err(), "{bad}");
        }
    }
}
