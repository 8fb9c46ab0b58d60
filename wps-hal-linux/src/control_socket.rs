//! A thin client for the control socket of wpa_supplicant: one request, one reply, and events.

use std::io;
use std::os::unix::net::UnixDatagram as StdSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{RecvFlags, SocketAddrUnix};
use tokio::net::UnixDatagram;
use zeroize::Zeroizing;

use crate::event::Event;

/// How long wpa_supplicant may take to answer. It answers within milliseconds, or it hangs.
const REPLY_LIMIT: Duration = Duration::from_secs(5);
/// The longest datagram wpa_supplicant sends (its reply buffer is 4 kB, an event may be longer).
const DATAGRAM: usize = 8192;

/// Why wpa_supplicant could not be talked to.
#[derive(Debug, thiserror::Error)]
pub enum ControlSocketError {
    /// There is no socket, or nobody behind it.
    #[error(
        "wpa_supplicant does not run on this interface ({path}: {source}): start it with a control \
         socket (ctrl_interface=…)"
    )]
    Unreachable {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The socket is there, but not for us.
    #[error("no permission to use {0}: run as root, or as a member of the group that owns it")]
    Permission(PathBuf),
    /// No reply.
    #[error("wpa_supplicant does not answer")]
    Mute,
    /// It said that it ends.
    #[error("wpa_supplicant has ended: start it again")]
    Closed,
    /// The socket broke: wpa_supplicant made it anew, or is gone. The next connection tells.
    #[error("wpa_supplicant's control socket is gone: {0}")]
    Gone(io::Error),
    /// A request was refused. The text is the request without its arguments, which may be secret.
    #[error("wpa_supplicant refused {0}: {1}")]
    Refused(String, String),
}

/// A connection for requests.
#[derive(Debug)]
pub struct ControlSocket {
    socket: UnixDatagram,
}

impl ControlSocket {
    /// Connects to the socket of `interface` in `directory`.
    ///
    /// # Errors
    /// Nobody is behind it, or no permission.
    pub fn connect(directory: &Path, interface: &str) -> Result<Self, ControlSocketError> {
        let path = directory.join(interface);
        let connect = || {
            let socket = StdSocket::unbound()?;
            // Connected first, so that nobody else can ever send to us; then named by the kernel in
            // the abstract space, where replies find us also from a private /tmp.
            socket.connect(&path)?;
            rustix::net::bind(&socket, &SocketAddrUnix::new_unnamed())?;
            socket.set_nonblocking(true)?;
            UnixDatagram::from_std(socket)
        };
        match connect() {
            Ok(socket) => Ok(Self { socket }),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                Err(ControlSocketError::Permission(path))
            }
            Err(source) => Err(ControlSocketError::Unreachable { path, source }),
        }
    }

    /// Sends `request` and returns the reply, which may hold secrets.
    ///
    /// # Errors
    /// No reply in time, or the socket broke. `FAIL` is a reply, see [`Self::order`].
    pub async fn ask(
        &self,
        request: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        let exchange = async {
            self.socket.send(request.as_ref()).await?;
            receive(&self.socket).await
        };
        let reply = tokio::time::timeout(REPLY_LIMIT, exchange).await;
        let bytes =
            reply.map_err(|_| ControlSocketError::Mute)?.map_err(ControlSocketError::Gone)?;
        Ok(Zeroizing::new(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Sends `request` and expects `OK`, or whatever else is not a refusal.
    ///
    /// # Errors
    /// As [`Self::ask`], and for `FAIL…` and `UNKNOWN COMMAND`.
    pub async fn order(
        &self,
        request: impl AsRef<[u8]>,
    ) -> Result<Zeroizing<String>, ControlSocketError> {
        let request = request.as_ref();
        let reply = self.ask(request).await?;
        let refused = reply.starts_with("FAIL") || reply.starts_with("UNKNOWN");
        if refused {
            return Err(ControlSocketError::Refused(
                without_arguments(request),
                reply.trim().into(),
            ));
        }
        Ok(reply)
    }
}

/// The verb, and for a network's variable its number and name: never a value.
fn without_arguments(request: &[u8]) -> String {
    let words = if request.starts_with(b"SET_NETWORK") { 3 } else { 1 };
    let words: Vec<_> = request.split(|byte| *byte == b' ').take(words).collect();
    String::from_utf8_lossy(&words.join(&b' ')).into_owned()
}

/// A connection for events. It holds what happened since it was attached; keep it only as long as
/// somebody reads, since wpa_supplicant drops listeners that do not.
#[derive(Debug)]
pub struct Events {
    control: ControlSocket,
}

impl Events {
    /// Connects, and asks for events.
    ///
    /// # Errors
    /// As [`ControlSocket::connect`] and [`ControlSocket::order`].
    pub async fn attach(directory: &Path, interface: &str) -> Result<Self, ControlSocketError> {
        let control = ControlSocket::connect(directory, interface)?;
        control.order("ATTACH").await?;
        Ok(Self { control })
    }

    /// The next event. Dropping the future loses none.
    ///
    /// # Errors
    /// wpa_supplicant ended.
    pub async fn next(&self) -> Result<Event, ControlSocketError> {
        let bytes = receive(&self.control.socket).await.map_err(ControlSocketError::Gone)?;
        match Event::parse(&bytes) {
            Event::Terminating => Err(ControlSocketError::Closed),
            event => Ok(event),
        }
    }

    /// Forgets what has happened so far: events of an earlier attempt. wpa_supplicant has one thread,
    /// so what came before the reply to the latest request is already here.
    pub fn forget(&self) {
        // Past tokio, which may not have noticed yet that there is something to read.
        let mut buffer = Zeroizing::new([0; DATAGRAM]);
        let (socket, now) = (&self.control.socket, RecvFlags::DONTWAIT);
        while rustix::net::recv(socket, buffer.as_mut_slice(), now).is_ok() {}
    }
}

async fn receive(socket: &UnixDatagram) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut buffer = Zeroizing::new(vec![0; DATAGRAM]);
    let length = socket.recv(&mut buffer).await?;
    buffer.truncate(length);
    Ok(buffer)
}
