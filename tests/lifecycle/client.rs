//! A plain HTTP client: what a poller in any other language does.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Status, headers in lower case, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// Asks once, with these headers, and closes the connection. Nothing, if there is no answer.
pub(crate) fn ask(url: &str, method: &str, path: &str, headers: &[(&str, &str)]) -> Option<Answer> {
    let address = url.strip_prefix("http://").unwrap_or(url);
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(5))).ok()?;
    let mut head = format!("{method} {path} HTTP/1.1\r\nconnection: close\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        let _ = write!(head, "host: {address}\r\n");
    }
    for (name, value) in headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).ok()?;
    // Servers that keep the connection are left after the body.
    let mut text = Vec::new();
    let mut chunk = [0; 4_096];
    loop {
        if let Some(answer) = parse(&text) {
            return Some(answer);
        }
        let read = stream.read(&mut chunk).ok().filter(|read| *read > 0)?;
        text.extend_from_slice(&chunk[..read]);
    }
}

fn parse(text: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(text);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let head = head.to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse().ok()?;
    let body = body.get(..length)?.to_owned();
    Some(Answer { status, head, body })
}

/// What leading tools do: poll the item, act on what it says, and take a 404 for "nothing to do".
pub(crate) fn poll_as_if_404_meant_nothing(url: &str, path: &str) -> Option<String> {
    let ttl = [("x-aws-ec2-metadata-token-ttl-seconds", "21600")];
    let token = ask(url, "PUT", "/latest/api/token", &ttl)?.body;
    let answer = ask(url, "GET", path, &[("x-aws-ec2-metadata-token", token.as_str())])?;
    (answer.status == 200).then_some(answer.body)
}
