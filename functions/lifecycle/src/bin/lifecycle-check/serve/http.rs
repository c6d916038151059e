//! As much of an HTTP/1.1 server as one item takes.

use std::fmt::Write as _;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// The largest head of a request.
const HEAD: usize = 8 << 10;
/// The largest body that is skipped: none of the requests here has one.
const BODY: usize = 8 << 10;
/// How long a connection may be idle.
const IDLE: Duration = Duration::from_secs(30);

/// A request's head.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: String,
    pub(super) path: String,
    headers: Vec<(String, String)>,
}

impl Request {
    /// The value of a header; its name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Response {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn bytes(&self, is_head: bool, closes: bool) -> Vec<u8> {
        let reason = match self.status {
            200 => "OK",
            400 => "Bad Request",
            401 => "Unauthorized",
            403 => "Forbidden",
            404 => "Not Found",
            405 => "Method Not Allowed",
            _ => "Service Unavailable",
        };
        let mut text = format!("HTTP/1.1 {} {reason}\r\ncontent-length: {}\r\n", self.status, self.body.len());
        if !self.headers.iter().any(|(name, _)| *name == "content-type") {
            text.push_str("content-type: text/plain\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(text, "{name}: {value}\r\n");
        }
        text.push_str(if closes { "connection: close\r\n\r\n" } else { "\r\n" });
        if !is_head {
            text.push_str(&self.body);
        }
        text.into_bytes()
    }
}

/// Answers the requests of one connection until either side closes it.
pub(super) async fn converse(mut stream: TcpStream, answer: impl Fn(&Request) -> Response) {
    let mut buffer = Vec::new();
    loop {
        let Ok(Some((request, length, body))) = timeout(IDLE, read(&mut stream, &mut buffer)).await else {
            return;
        };
        let (response, closes) = match request {
            Some(request) => {
                let closes = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
                let is_head = request.method == "HEAD";
                (answer(&request).bytes(is_head, closes), closes)
            }
            None => (Response::new(400, "").bytes(false, true), true),
        };
        let is_sent = timeout(IDLE, stream.write_all(&response)).await.is_ok_and(|sent| sent.is_ok());
        if !is_sent || closes {
            let _ = stream.shutdown().await;
            return;
        }
        buffer.drain(..(length + body).min(buffer.len()));
    }
}

/// The next request with the lengths of its head and body, or nothing in its place, where it is malformed. Nothing at all
/// once the connection is over.
async fn read(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<(Option<Request>, usize, usize)> {
    loop {
        match parse(buffer) {
            Parsed::Whole(request, length, body) if buffer.len() >= length + body => {
                return Some((Some(request), length, body));
            }
            Parsed::Malformed => return Some((None, 0, 0)),
            _ if buffer.len() > HEAD + BODY => return Some((None, 0, 0)),
            _ => {}
        }
        let mut chunk = [0; 2_048];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        buffer.extend(chunk.iter().take(read));
    }
}

enum Parsed {
    Whole(Request, usize, usize),
    Partial,
    Malformed,
}

fn parse(buffer: &[u8]) -> Parsed {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(buffer) {
        Ok(httparse::Status::Complete(length)) if length <= HEAD => length,
        Ok(httparse::Status::Partial) if buffer.len() <= HEAD => return Parsed::Partial,
        _ => return Parsed::Malformed,
    };
    let (Some(method), Some(path)) = (head.method, head.path) else { return Parsed::Malformed };
    let headers: Option<Vec<(String, String)>> = head
        .headers
        .iter()
        .map(|header| {
            Some((header.name.to_ascii_lowercase(), std::str::from_utf8(header.value).ok()?.trim().to_owned()))
        })
        .collect();
    let Some(headers) = headers else { return Parsed::Malformed };
    let request = Request { method: method.to_owned(), path: path.to_owned(), headers };
    // Two hosts are none, and a body whose length is not plain could hide another request.
    let of = |name: &str| request.headers.iter().filter(|(key, _)| key == name).count();
    if of("host") > 1 || of("content-length") > 1 || of("transfer-encoding") > 0 {
        return Parsed::Malformed;
    }
    let body = request.header("content-length").map_or(Ok(0), str::parse::<usize>);
    match body {
        Ok(body) if body <= BODY => Parsed::Whole(request, length, body),
        _ => Parsed::Malformed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_or_refused() {
        let table = [
            ("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "whole"),
            ("GET / HTTP/1.1\r\nHost: localhost\r\n", "partial"),
            ("", "partial"),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "malformed"),
            ("GET / HTTP/1.1\r\ncontent-length: x\r\n\r\n", "malformed"),
            ("GET / HTTP/1.1\r\ncontent-length: 999999\r\n\r\n", "malformed"),
            ("GET / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n", "malformed"),
            ("nonsense\r\n\r\n", "malformed"),
        ];
        assert!(!table.is_empty());
        for (text, expected) in table {
            let found = match parse(text.as_bytes()) {
                Parsed::Whole(..) => "whole",
                Parsed::Partial => "partial",
                Parsed::Malformed => "malformed",
            };
            assert_eq!(found, expected, "{text:?}");
        }
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(HEAD));
        assert!(matches!(parse(long.as_bytes()), Parsed::Malformed));
    }
}
