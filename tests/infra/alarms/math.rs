//! Metric math as the CloudWatch User Guide says ("Using metric math"), as far as the alarms need it: missing values in
//! arithmetic are 0, what is divided by 0 is dropped, `IF` drops what its condition has no point for.

use std::collections::BTreeMap;

/// Values by the number of their period.
pub(crate) type Series = BTreeMap<i64, f64>;

#[derive(Debug, Clone)]
enum Value {
    Number(f64),
    Series(Series),
}

/// The series of an expression over named series.
pub(crate) fn evaluate(expression: &str, lines: &BTreeMap<String, Series>) -> Series {
    let tokens = tokens(expression);
    let mut reader = Reader { tokens: &tokens, lines };
    let value = reader.comparison();
    assert!(reader.tokens.is_empty(), "{expression}: not read: {:?}", reader.tokens);
    match value {
        Value::Series(series) => series,
        Value::Number(_) => panic!("{expression} is no series"),
    }
}

fn tokens(expression: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let mut before = ' ';
    for c in expression.chars() {
        let word = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        if word(c) && word(before) {
            tokens.last_mut().expect("a token").push(c);
        } else if c != ' ' {
            tokens.push(c.to_string());
        }
        before = c;
    }
    tokens
}

struct Reader<'a> {
    tokens: &'a [String],
    lines: &'a BTreeMap<String, Series>,
}

impl Reader<'_> {
    fn next(&mut self) -> &str {
        let (first, rest) = self.tokens.split_first().expect("a token");
        self.tokens = rest;
        first
    }

    fn takes(&mut self, any: &[&str]) -> Option<String> {
        let first = self.tokens.first().filter(|token| any.contains(&token.as_str()))?.clone();
        self.next();
        Some(first)
    }

    fn comparison(&mut self) -> Value {
        let left = self.sum();
        match self.takes(&[">", "<"]) {
            None => left,
            Some(operator) => {
                let right = self.sum();
                combined(&left, &right, |a, b| Some(f64::from(u8::from(if operator == ">" { a > b } else { a < b }))))
            }
        }
    }

    fn sum(&mut self) -> Value {
        let mut left = self.product();
        while let Some(operator) = self.takes(&["+", "-"]) {
            let right = self.product();
            left = combined(&left, &right, |a, b| Some(if operator == "+" { a + b } else { a - b }));
        }
        left
    }

    fn product(&mut self) -> Value {
        let mut left = self.factor();
        while let Some(operator) = self.takes(&["*", "/"]) {
            let right = self.factor();
            left = combined(&left, &right, |a, b| match operator.as_str() {
                "*" => Some(a * b),
                _ => (b != 0.0).then(|| a / b),
            });
        }
        left
    }

    fn factor(&mut self) -> Value {
        let token = self.next().to_owned();
        if token == "(" {
            let inner = self.comparison();
            assert_eq!(self.next(), ")");
            return inner;
        }
        if let Ok(number) = token.parse() {
            return Value::Number(number);
        }
        if self.takes(&["("]).is_none() {
            let series = self.lines.get(&token).unwrap_or_else(|| panic!("no line {token}"));
            return Value::Series(series.clone());
        }
        let mut arguments = vec![self.comparison()];
        while self.takes(&[","]).is_some() {
            arguments.push(self.comparison());
        }
        assert_eq!(self.next(), ")");
        match (token.as_str(), arguments.as_slice()) {
            ("DIFF", [Value::Series(series)]) => Value::Series(differences(series)),
            ("IF", [Value::Series(condition), then, otherwise]) => Value::Series(chosen(condition, then, otherwise)),
            _ => panic!("{token} of {} arguments", arguments.len()),
        }
    }
}

fn combined(left: &Value, right: &Value, operator: impl Fn(f64, f64) -> Option<f64>) -> Value {
    let at = |value: &Value, period: &i64| match value {
        Value::Number(number) => *number,
        Value::Series(series) => series.get(period).copied().unwrap_or(0.0),
    };
    let periods = |value: &Value| match value {
        Value::Number(_) => Vec::new(),
        Value::Series(series) => series.keys().copied().collect(),
    };
    if let (Value::Number(left), Value::Number(right)) = (left, right) {
        return Value::Number(operator(*left, *right).expect("no division by zero"));
    }
    let all = periods(left).into_iter().chain(periods(right));
    let points = all.filter_map(|period| Some((period, operator(at(left, &period), at(right, &period))?)));
    Value::Series(points.collect())
}

fn differences(series: &Series) -> Series {
    let later = series.iter().skip(1);
    series.values().zip(later).map(|(before, (period, value))| (*period, value - before)).collect()
}

fn chosen(condition: &Series, then: &Value, otherwise: &Value) -> Series {
    let pick = |value: &Value, period: &i64, missing: Option<f64>| match value {
        Value::Number(number) => Some(*number),
        Value::Series(series) => series.get(period).copied().or(missing),
    };
    let points = condition.iter().filter_map(|(period, truth)| {
        let value = if *truth == 0.0 { pick(otherwise, period, None) } else { pick(then, period, Some(0.0)) };
        Some((*period, value?))
    });
    points.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[Option<f64>]) -> Series {
        (0..).zip(values).filter_map(|(period, value)| Some((period, (*value)?))).collect()
    }

    /// The examples of the User Guide, and the rules that it states beside its tables.
    #[test]
    fn the_examples_of_the_user_guide_come_out() {
        let lines: BTreeMap<String, Series> = [
            ("a", vec![Some(1.0), Some(1.0), Some(0.0), Some(0.0), None]),
            ("b", vec![Some(30.0), None, Some(0.0), Some(0.0), Some(30.0)]),
            ("c", vec![Some(0.0), Some(0.0), Some(20.0), None, Some(20.0)]),
            ("total", vec![Some(5.0), Some(5.0), None, Some(9.0), Some(10.0)]),
        ]
        .map(|(name, values)| (name.to_owned(), series(&values)))
        .into();
        let table = [
            ("IF(a, b, c)", vec![Some(30.0), Some(0.0), Some(20.0), None, None]),
            ("IF(a, 5, c)", vec![Some(5.0), Some(5.0), Some(20.0), None, None]),
            ("IF(a, b, 5)", vec![Some(30.0), Some(0.0), Some(5.0), Some(5.0), None]),
            ("b - c", vec![Some(30.0), Some(0.0), Some(-20.0), Some(0.0), Some(10.0)]),
            ("100 * b / (a + c)", vec![Some(3000.0), Some(0.0), Some(0.0), None, Some(150.0)]),
            ("b > 15", vec![Some(1.0), None, Some(0.0), Some(0.0), Some(1.0)]),
            ("DIFF(total)", vec![None, Some(0.0), None, Some(4.0), Some(1.0)]),
        ];
        assert_eq!(table.len(), 7);
        for (expression, expected) in table {
            assert_eq!(evaluate(expression, &lines), series(&expected), "{expression}");
        }
    }
}
