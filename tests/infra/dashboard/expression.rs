//! Metric math, checked: `CloudWatch` User Guide, "Using metric math" (which types an operation or function takes) and
//! "Search expression syntax".

use std::collections::BTreeMap;

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// S
    Number,
    /// TS
    Series,
    /// TS[]
    Array,
}

use Kind::{Array, Number, Series};

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Number(String),
    Name(String),
    Text(String),
    Sign(&'static str),
}

const SIGNS: [&str; 19] =
    ["==", "!=", "<=", ">=", "&&", "||", "+", "-", "*", "/", "^", "<", ">", "(", ")", ",", "[", "]", "."];

/// The type that an expression has, with the IDs that it may use.
pub(crate) fn check(text: &str, known: &BTreeMap<String, Kind>) -> Result<Kind, String> {
    let mut tokens = tokens(text)?;
    tokens.reverse();
    let mut parser = Parser { tokens, known };
    let kind = parser.either()?;
    if let Some(token) = parser.tokens.last() {
        return Err(format!("{token:?} is too much"));
    }
    if kind == Number { Err("a number in the end, not a series".to_owned()) } else { Ok(kind) }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let (token, length) = if first == '\'' {
            let end = rest[1..].find('\'').ok_or("a text does not end")?;
            (Token::Text(rest[1..=end].to_owned()), end + 2)
        } else if first.is_ascii_digit() {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            (Token::Number(rest[..end].to_owned()), end)
        } else if first.is_ascii_alphabetic() {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            (Token::Name(rest[..end].to_owned()), end)
        } else {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| format!("{first:?} is no sign"))?;
            (Token::Sign(sign), sign.len())
        };
        tokens.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

struct Parser<'a> {
    /// The next is the last.
    tokens: Vec<Token>,
    known: &'a BTreeMap<String, Kind>,
}

impl Parser<'_> {
    fn sign(&mut self, signs: &[&str]) -> Option<String> {
        let next = match self.tokens.last()? {
            Token::Sign(sign) => (*sign).to_owned(),
            Token::Name(name) if ["AND", "OR"].contains(&name.as_str()) => name.clone(),
            _ => return None,
        };
        signs.contains(&next.as_str()).then(|| {
            self.tokens.pop();
            next
        })
    }

    fn demand(&mut self, sign: &str) -> Result<(), String> {
        self.sign(&[sign]).map(drop).ok_or_else(|| format!("{sign} is missing before {:?}", self.tokens.last()))
    }

    fn chain(
        &mut self,
        signs: &[&str],
        lower: fn(&mut Self) -> Result<Kind, String>,
        arrays: bool,
    ) -> Result<Kind, String> {
        let mut left = lower(self)?;
        while let Some(sign) = self.sign(signs) {
            left = match (left, lower(self)?) {
                (Array, Array) => return Err(format!("an array {sign} an array")),
                (Array, _) | (_, Array) if !arrays => return Err(format!("an array beside {sign}")),
                (Array, _) | (_, Array) => Array,
                (Number, Number) => Number,
                _ => Series,
            };
        }
        Ok(left)
    }

    fn either(&mut self) -> Result<Kind, String> {
        self.chain(&["OR", "||", "AND", "&&"], Self::comparison, false)
    }

    fn comparison(&mut self) -> Result<Kind, String> {
        self.chain(&["==", "!=", "<=", ">=", "<", ">"], Self::sum, false)
    }

    fn sum(&mut self) -> Result<Kind, String> {
        self.chain(&["+", "-"], Self::product, true)
    }

    fn product(&mut self) -> Result<Kind, String> {
        self.chain(&["*", "/"], Self::single, true)
    }

    fn single(&mut self) -> Result<Kind, String> {
        if self.sign(&["-"]).is_some() {
            return self.single();
        }
        if self.sign(&["("]).is_some() {
            let kind = self.either()?;
            self.demand(")")?;
            return Ok(kind);
        }
        match self.tokens.pop() {
            Some(Token::Number(_)) => Ok(Number),
            Some(Token::Name(name)) if self.sign(&["("]).is_some() => self.call(&name),
            Some(Token::Name(name)) => self.known.get(&name).copied().ok_or_else(|| format!("{name} is unknown")),
            other => Err(format!("{other:?} is no value")),
        }
    }

    fn call(&mut self, name: &str) -> Result<Kind, String> {
        if name == "SEARCH" {
            return self.search();
        }
        let mut arguments = vec![self.either()?];
        while self.sign(&[","]).is_some() {
            arguments.push(self.either()?);
        }
        self.demand(")")?;
        match (name, arguments.as_slice()) {
            ("SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" | "DATAPOINT_COUNT", [Series]) => Ok(Number),
            ("SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" | "DATAPOINT_COUNT", [Array])
            | ("HOUR" | "DAY" | "MINUTE", [Series])
            | ("TIME_SERIES", [Number])
            | ("IF", [Series, Number | Series] | [Series, Number | Series, Number | Series]) => Ok(Series),
            ("DIFF" | "RATE" | "FLOOR" | "CEIL" | "ABS" | "RUNNING_SUM", [kind @ (Series | Array)])
            | ("FILL", [kind @ (Series | Array), Number | Series]) => Ok(*kind),
            _ => Err(format!("{name} does not take {arguments:?}")),
        }
    }

    fn search(&mut self) -> Result<Kind, String> {
        let Some(Token::Text(terms)) = self.tokens.pop() else { return Err("a search without its terms".to_owned()) };
        self.demand(",")?;
        let Some(Token::Text(statistic)) = self.tokens.pop() else {
            return Err("a search for no statistic".to_owned());
        };
        self.demand(",")?;
        let Some(Token::Number(period)) = self.tokens.pop() else { return Err("a search of no period".to_owned()) };
        self.demand(")")?;
        is_statistic(&statistic)?;
        is_period(period.parse().unwrap_or_default())?;
        let shape =
            r#"^\{"[A-Za-z0-9.\-_/#: ]{1,255}",Stack\} MetricName="[A-Za-z]+"( NOT Stack="([^"\\()]|\\["\\()])+")*$"#;
        let shape = regex::Regex::new(shape).map_err(|error| error.to_string())?;
        if terms.len() > 1_024 || !shape.is_match(&terms) {
            return Err(format!("a search that is not well formed: {terms}"));
        }
        Ok(Array)
    }
}

/// "Dashboard Body Structure and Syntax", `stat`.
pub(crate) fn is_statistic(text: &str) -> Result<(), String> {
    let percentile = text.strip_prefix('p').and_then(|rest| rest.parse::<f64>().ok()).is_some_and(|p| p <= 100.0);
    let known = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"].contains(&text);
    if known || percentile { Ok(()) } else { Err(format!("{text} is no statistic")) }
}

/// The same, `period`.
pub(crate) fn is_period(seconds: u64) -> Result<(), String> {
    let good = seconds >= 60 && seconds.is_multiple_of(60);
    if good { Ok(()) } else { Err(format!("a period of {seconds} s")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_documents_allow_has_its_type_and_what_they_do_not_is_refused() {
        let known = BTreeMap::from([("m".to_owned(), Series), ("n".to_owned(), Series), ("a".to_owned(), Array)]);
        let search = r#"SEARCH('{"NS",Stack} MetricName="Members"', 'Maximum', 300)"#;
        let good = [
            ("m + n", Series),
            ("5 * a", Array),
            ("a / m", Array),
            ("1000 * DIFF(m) / DIFF(n)", Series),
            ("DIFF(a)", Array),
            ("SUM(a)", Series),
            ("TIME_SERIES(SUM(DIFF(m)))", Series),
            ("IF(FLOOR(HOUR(m) / 3) == 2, n, 0)", Series),
            ("-(m - 1)", Series),
            (search, Array),
        ];
        assert!(!good.is_empty());
        for (text, kind) in good {
            assert_eq!(check(text, &known), Ok(kind), "{text}");
        }
        let bad = [
            ("", "no value"),
            ("SUM(m)", "a number in the end"),
            ("a / a", "an array / an array"),
            ("DIFF(a) / DIFF(a)", "an array / an array"),
            ("a > 1", "an array beside >"),
            ("x + m", "x is unknown"),
            ("m +", "no value"),
            ("m m", "too much"),
            ("(m", ") is missing"),
            ("HOUR(a)", "HOUR does not take"),
            ("TIME_SERIES(m)", "TIME_SERIES does not take"),
            ("IF(a, m)", "IF does not take"),
            ("diff(m)", "diff does not take"),
            ("m % n", "no sign"),
            ("SEARCH('{NS,Stack} MetricName=\"Members\"', 'Maximum', 300)", "not well formed"),
            ("SEARCH('{\"NS\",Stack} MetricName=\"Members\" NOT Stack=\"a(b\"', 'Maximum', 300)", "not well formed"),
            ("SEARCH('{\"NS\",Stack} MetricName=\"Members\"', 'Max', 300)", "no statistic"),
            ("SEARCH('{\"NS\",Stack} MetricName=\"Members\"', 'Maximum', 90)", "a period of 90"),
            ("SEARCH('unended", "does not end"),
        ];
        assert!(!bad.is_empty());
        for (text, reason) in bad {
            let error = check(text, &known).expect_err(text);
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
