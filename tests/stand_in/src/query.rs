//! Form-encoded fields: bodies of the query protocol, and addresses.

/// Fields in their order.
#[derive(Debug, Default, Clone)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    pub(crate) fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (decode(name, true), decode(value, true))
                })
                .collect(),
        )
    }

    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// The members of a list: `Name.member.1` and so on.
    pub(crate) fn list(&self, name: &str) -> Vec<&str> {
        let member = |number: usize| self.get(&format!("{name}.member.{number}"));
        (1..).map_while(member).collect()
    }

    /// The filters: their names and values.
    pub(crate) fn filters(&self) -> Vec<(&str, Vec<&str>)> {
        let filter = |number: usize| {
            let front = format!("Filters.member.{number}");
            Some((self.get(&format!("{front}.Name"))?, self.list(&format!("{front}.Values"))))
        };
        (1..).map_while(filter).collect()
    }

    /// All but these, as one text.
    pub(crate) fn without(&self, names: &[&str]) -> String {
        let kept = self.0.iter().filter(|(name, _)| !names.contains(&name.as_str()));
        kept.map(|(name, value)| format!("{name}={value}&")).collect()
    }

    /// All as JSON, for the log of requests.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let pairs = self.0.iter().map(|(name, value)| (name.clone(), value.clone().into()));
        serde_json::Value::Object(pairs.collect())
    }
}

/// Undoes percent encoding, and in forms the plus sign.
pub(crate) fn decode(text: &str, form: bool) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, more)) = rest.split_first() {
        rest = more;
        let hex = more.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match (*first, hex.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = more.get(2..).unwrap_or_default();
            }
            (b'+', _) if form => bytes.push(b' '),
            (other, _) => bytes.push(other),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_lists_are_read() {
        let params = Params::parse("Action=X&Names.member.1=a%20b&Names.member.2=c%2Bd&Empty=");
        assert_eq!(params.list("Names"), ["a b", "c+d"]);
        assert_eq!(params.get("Empty"), Some(""));
        assert_eq!(params.without(&["Action", "Empty"]), "Names.member.1=a b&Names.member.2=c+d&");
        assert_eq!(decode("a+b%2", false), "a+b%2");
    }
}
