//! A server on loopback for tests: what it is asked it keeps, and it answers as the test says.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use aws_config::{BehaviorVersion, ConfigLoader, Region};
use aws_credential_types::Credentials;

use super::Clients;

/// A request, as it came.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// An answer.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status, headers and body.
    Answer(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The headers promise more than the body holds, and the connection ends.
    Broken(Vec<(&'static str, String)>),
    /// The connection ends without an answer.
    Drops,
    /// No answer for this long.
    Hangs(Duration),
}

impl Reply {
    pub(crate) fn of(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::Answer(status, Vec::new(), body.into())
    }

    /// An error of the query protocol (Auto Scaling, STS).
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error>\
             <RequestId>r</RequestId></ErrorResponse>"
        );
        Self::of(status, body)
    }
}

/// The server. It ends when it is dropped.
pub(crate) struct Loopback {
    address: SocketAddr,
    ending: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Request>>>,
    thread: Option<JoinHandle<()>>,
}

impl Loopback {
    /// Starts a server that answers each request by the function, which is also told how many came before.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
        let address = listener.local_addr().expect("an address");
        let (ending, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let (end, keep, answer) = (Arc::clone(&ending), Arc::clone(&asked), Arc::new(answer));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if end.load(Ordering::SeqCst) {
                    return;
                }
                let (keep, answer) = (Arc::clone(&keep), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream.expect("a connection"), &keep, &*answer));
            }
        });
        Self { address, ending, asked, thread: Some(thread) }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far.
    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().expect("no panic before").clone()
    }

    /// Clients whose every request comes here.
    pub(crate) async fn clients(&self) -> Clients {
        Clients::from_loader(loader(&self.url())).await
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// A configuration whose every request goes to one address, with dummy credentials.
pub(crate) fn loader(url: &str) -> ConfigLoader {
    let credentials = Credentials::new("AKIDEXAMPLE", "not-a-secret", None, None, "tests");
    aws_config::defaults(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(credentials)
        .endpoint_url(url)
}

fn serve(stream: TcpStream, keep: &Mutex<Vec<Request>>, answer: &(impl Fn(&Request, usize) -> Reply + ?Sized)) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut stream = BufReader::new(stream);
    let Some(request) = read(&mut stream) else { return };
    let before = {
        let mut keep = keep.lock().expect("no panic before");
        keep.push(request.clone());
        keep.len() - 1
    };
    let text = match answer(&request, before) {
        Reply::Answer(status, headers, body) => {
            let headers = lines(&headers);
            let head =
                format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n", body.len());
            let body = if request.method == "HEAD" { Vec::new() } else { body };
            [head.into_bytes(), body].concat()
        }
        Reply::Broken(headers) => {
            format!("HTTP/1.1 200 X\r\n{}content-length: 1000\r\nconnection: close\r\n\r\n<a", lines(&headers))
                .into_bytes()
        }
        Reply::Drops => return,
        Reply::Hangs(time) => return std::thread::sleep(time),
    };
    // The client may have given up.
    drop(stream.get_mut().write_all(&text));
}

fn lines(headers: &[(&str, String)]) -> String {
    headers.iter().flat_map(|(name, value)| [name, ": ", value, "\r\n"]).collect()
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut line = String::new();
    stream.read_line(&mut line).ok()?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let header = |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    if header("expect").is_some() {
        stream.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n").ok()?;
    }
    let mut body = vec![0; header("content-length").map_or(0, |text| text.parse().expect("a length"))];
    stream.read_exact(&mut body).ok()?;
    Some(Request { method, path, headers, body })
}
