//! A thin client for wpa_supplicant's control socket: requests with their replies, and events.

use std::io;
use std::os::unix::net::UnixDatagram as StdSocket;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketAddrUnix};
use tokio::net::UnixDatagram;
use zeroize::Zeroizing;

use super::event::Event;
use crate::group;

/// The longest wait for a reply. wpa_supplicant answers within milliseconds, or it hangs.
const REPLY_TIMEOUT: Duration = Duration::from_secs(5);
/// The longest datagram that wpa_supplicant sends, in bytes. Its reply buffer has 4 kB, and an
/// event may be longer.
const MAX_DATAGRAM: usize = 8192;

/// Returns the directory in a value of `ctrl_interface` from wpa_supplicant's configuration, such
/// as `/run/wpa_supplicant` or `DIR=/run/wpa_supplicant GROUP=netdev`.
///
/// Returns `None` if the value names no directory: it is empty, a UDP port, or in the abstract
/// namespace.
pub fn control_dir(ctrl_interface: &str) -> Option<&Path> {
    let directory = match ctrl_interface.strip_prefix("DIR=") {
        Some(rest) => rest.split_once(" GROUP=").map_or(rest, |(directory, _)| directory),
        None => ctrl_interface,
    };
    let is_other =
        directory.is_empty() || directory.starts_with("udp") || directory.starts_with('@');
    (!is_other).then(|| Path::new(directory))
}

/// The error of a request to wpa_supplicant.
///
/// A message contains the error of the operating system, so `source` returns `None`.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ControlSocketError {
    /// There is no control socket, or no process has it open.
    #[error(
        "wpa_supplicant does not run on this interface, or has its control socket elsewhere ({path}: \
         {error}): start it with a control socket (ctrl_interface=…), or give its directory"
    )]
    Unreachable {
        /// The path of the socket.
        path: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
    /// This process has no permission to use the socket.
    #[error("no permission to use {path}: run as root, or as a member of {}", name(.group.as_ref()))]
    Permission {
        /// The path of the socket.
        path: PathBuf,
        /// The group that may use it, if this process sees that.
        group: Option<String>,
    },
    /// wpa_supplicant did not reply in time.
    #[error("wpa_supplicant does not answer")]
    NoResponse,
    /// wpa_supplicant has reported that it terminates.
    #[error("wpa_supplicant has ended: start it again")]
    Closed,
    /// The socket broke: wpa_supplicant has created a new one, or is gone. The next connection
    /// shows which.
    #[error("wpa_supplicant's control socket is gone: {0}")]
    Gone(io::Error),
    /// wpa_supplicant refused a request. Holds the request without its arguments, which may be
    /// secret, and the reply.
    #[error("wpa_supplicant refused {0}: {1}")]
    Refused(String, String),
}

/// Returns how an error names the group.
fn name(group: Option<&String>) -> String {
    group.map_or("the group that owns it (netdev in Debian)".into(), |it| format!("the group {it}"))
}

/// A connection for requests.
#[derive(Debug)]
pub struct ControlSocket {
    socket: UnixDatagram,
    /// The number of requests whose replies were not read: their futures were dropped. These
    /// replies come before any other.
    unread_replies: AtomicUsize,
}

impl ControlSocket {
    /// Connects to the socket of `interface` in `directory`.
    ///
    /// # Errors
    /// Returns [`ControlSocketError::Unreachable`] if no process has the socket open, or
    /// [`ControlSocketError::Permission`].
    pub fn connect(directory: &Path, interface: &str) -> Result<Self, ControlSocketError> {
        let path = directory.join(interface);
        let connect = || {
            let socket = StdSocket::unbound()?;
            // Connect first, so that no other process can ever send to this socket. Then let the
            // kernel choose a name in the abstract namespace, so that replies arrive even if this
            // process has a private /tmp.
            socket.connect(&path)?;
            rustix::net::bind(&socket, &SocketAddrUnix::new_unnamed())?;
            socket.set_nonblocking(true)?;
            UnixDatagram::from_std(socket)
        };
        match connect() {
            Ok(socket) => Ok(Self { socket, unread_replies: AtomicUsize::new(0) }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                let group = group::of_nearest(&path);
                Err(ControlSocketError::Permission { path, group })
            }
            Err(error) => Err(ControlSocketError::Unreachable { path, error }),
        }
    }

    /// Sends `request` and returns the reply, which may contain secrets. `FAIL` is a reply like any
    /// other; [`Self::command`] returns an error for it. Not for two tasks at the same time. The
    /// future may be dropped: a later request does not take its reply for its own.
    ///
    /// # Errors
    /// Returns [`ControlSocketError::NoResponse`] if there is no reply in time, or
    /// [`ControlSocketError::Gone`] if the socket broke.
    pub async fn request(
        &self,
        request: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        let exchange = async {
            self.socket.send(request.as_ref()).await?;
            let earlier = self.unread_replies.fetch_add(1, Ordering::Relaxed);
            let mut reply = receive(&self.socket).await?;
            for _ in 0..earlier {
                self.unread_replies.fetch_sub(1, Ordering::Relaxed);
                reply = receive(&self.socket).await?;
            }
            self.unread_replies.fetch_sub(1, Ordering::Relaxed);
            Ok(reply)
        };
        let reply = tokio::time::timeout(REPLY_TIMEOUT, exchange).await;
        let bytes =
            reply.map_err(|_| ControlSocketError::NoResponse)?.map_err(ControlSocketError::Gone)?;
        Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Sends `command` and returns the reply: `OK`, or anything else that is not a refusal.
    ///
    /// # Errors
    /// Returns the errors of [`Self::request`], and [`ControlSocketError::Refused`] for the replies
    /// `FAIL…` and `UNKNOWN COMMAND`.
    pub async fn command(
        &self,
        command: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        let command = command.as_ref();
        let reply = self.request(command).await?;
        if is_refusal(&reply) {
            return Err(ControlSocketError::Refused(
                without_arguments(command),
                reply.trim().into(),
            ));
        }
        Ok(reply)
    }
}

/// Returns whether this reply is a refusal.
pub(super) fn is_refusal(reply: &str) -> bool {
    reply.starts_with("FAIL") || reply.starts_with("UNKNOWN")
}

/// Returns the name of the command. For `SET_NETWORK`, also returns the network's id and the name
/// of the variable. Never returns a value.
fn without_arguments(command: &[u8]) -> String {
    let words = if command.starts_with(b"SET_NETWORK") { 3 } else { 1 };
    let words: Vec<_> = command.split(|byte| *byte == b' ').take(words).collect();
    String::from_utf8_lossy(&words.join(&b' ')).into_owned()
}

/// A connection for events. It buffers all events since [`Self::attach`]. Drop it when no task
/// reads it any more, since wpa_supplicant disconnects clients that do not read.
#[derive(Debug)]
pub struct Events {
    control: ControlSocket,
}

impl Events {
    /// Connects and subscribes to events.
    ///
    /// # Errors
    /// Returns the errors of [`ControlSocket::connect`] and [`ControlSocket::command`].
    pub async fn attach(directory: &Path, interface: &str) -> Result<Self, ControlSocketError> {
        let control = ControlSocket::connect(directory, interface)?;
        control.command("ATTACH").await?;
        Ok(Self { control })
    }

    /// Waits for the next event. Dropping the future loses no event.
    ///
    /// # Errors
    /// Returns [`ControlSocketError::Closed`] if wpa_supplicant terminates, or
    /// [`ControlSocketError::Gone`] if the socket broke.
    pub async fn next(&self) -> Result<Event, ControlSocketError> {
        let bytes = receive(&self.control.socket).await.map_err(ControlSocketError::Gone)?;
        match Event::parse(&bytes) {
            Event::Terminating => Err(ControlSocketError::Closed),
            event => Ok(event),
        }
    }

    /// Returns whether wpa_supplicant still has its end of the socket open. A process that was
    /// killed closes it without an event.
    pub(crate) fn is_connected(&self) -> bool {
        // The reply is read as a malformed event.
        let sent = rustix::net::send(&self.control.socket, b"PING", SendFlags::DONTWAIT);
        matches!(sent, Ok(_) | Err(Errno::AGAIN))
    }

    /// Discards all events so far, which belong to an earlier attempt. wpa_supplicant has one
    /// thread, so every event from before the reply to the latest request has already arrived.
    pub fn discard_pending(&self) {
        // Bypass tokio, which may not know yet that the socket is readable.
        let mut buffer = Zeroizing::new([0; MAX_DATAGRAM]);
        let (socket, flags) = (&self.control.socket, RecvFlags::DONTWAIT);
        while rustix::net::recv(socket, buffer.as_mut_slice(), flags).is_ok() {}
    }
}

/// Waits for the next datagram.
async fn receive(socket: &UnixDatagram) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(vec![0; MAX_DATAGRAM]);
    let length = socket.recv(&mut buffer).await?;
    buffer.truncate(length);
    Ok(buffer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_control_directory_is_found_as_wpa_supplicant_finds_it() {
        for value in [
            "/run/wpa_supplicant",
            "DIR=/run/wpa_supplicant",
            "DIR=/run/wpa_supplicant GROUP=netdev",
            "DIR=/run/wpa_supplicant GROUP=0",
        ] {
            assert_eq!(control_dir(value), Some(Path::new("/run/wpa_supplicant")), "{value}");
        }
        for value in ["", "DIR=", "DIR= GROUP=netdev", "udp:9877", "@abstract:x"] {
            assert_eq!(control_dir(value), None, "{value}");
        }
    }
}
