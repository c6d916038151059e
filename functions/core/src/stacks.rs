//! Stacks: to which of a team's stacks a group belongs.

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
    /// How many stacks are told apart; a tag with a value for each group must not make a metric for each.
    pub const MAX_STACKS: usize = 500;
    /// How many characters of a name are kept: the bound of a tag's value.
    const MAX_NAME: usize = 256;

    /// Stacks by the value of `tag`.
    #[must_use]
    pub fn new(tag: &str) -> Self {
        Self { tag: tag.to_owned(), rules: Vec::new() }
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
    fn a_rule_must_have_both_sides() {
        let mut rules = StackRules::default();
        for bad in ["", "night", "=Nighttime", "night=", "(=Nighttime"] {
            assert!(rules.add(bad).is_err(), "{bad}");
        }
    }
}
