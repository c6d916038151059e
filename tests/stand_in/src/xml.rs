//! Answers in XML.

use serde_json::Value;

use crate::http::Response;

/// Escapes a text.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#13;"),
            other => out.push(other),
        }
    }
    out
}

/// Writes an element: objects as their members, lists as `member` elements.
pub(crate) fn element(name: &str, value: &Value, out: &mut String) {
    match value {
        Value::Null => return,
        Value::Array(values) if values.is_empty() => {
            out.push_str(&format!("<{name}/>"));
            return;
        }
        _ => {}
    }
    out.push('<');
    out.push_str(name);
    out.push('>');
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                element(key, value, out);
            }
        }
        Value::Array(values) => {
            for value in values {
                element("member", value, out);
            }
        }
        Value::String(text) => out.push_str(&escape(text)),
        other => out.push_str(&other.to_string()),
    }
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}

/// The answer of an operation of the query protocol.
pub(crate) fn answer(operation: &str, namespace: &str, result: &Value, request_id: &str) -> Response {
    let mut body = format!("<{operation}Response xmlns=\"{namespace}\">");
    element(&format!("{operation}Result"), result, &mut body);
    body.push_str(&format!(
        "<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    ));
    Response::new(200, "text/xml", body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_elements() {
        let mut out = String::new();
        element("A", &serde_json::json!({"B": [{"C": "x<&>"}, {"C": 1}], "D": [], "E": true, "F": null}), &mut out);
        assert_eq!(out, "<A><B><member><C>x&lt;&amp;&gt;</C></member><member><C>1</C></member></B><D/><E>true</E></A>");
    }
}
