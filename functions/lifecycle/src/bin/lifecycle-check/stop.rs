//! Being told to stop: by a signal, by the console, or by the service manager.

use std::sync::OnceLock;

use tokio::sync::watch;

static STOP: OnceLock<watch::Sender<bool>> = OnceLock::new();

fn sender() -> &'static watch::Sender<bool> {
    STOP.get_or_init(|| watch::channel(false).0)
}

/// Tells this process to stop.
pub(crate) fn now() {
    sender().send_replace(true);
}

/// Listens to signals (SIGTERM, SIGINT, SIGHUP; on Windows the console's) from now on.
pub(crate) fn listen() -> watch::Receiver<bool> {
    // Where a handler is set already, as by a second call, that one does.
    let _ = ctrlc::set_handler(now);
    sender().subscribe()
}

/// Waits for it.
pub(crate) async fn told(receiver: &mut watch::Receiver<bool>) {
    // The sender lives as long as the process.
    if receiver.wait_for(|stop| *stop).await.is_err() {
        std::future::pending::<()>().await;
    }
}
