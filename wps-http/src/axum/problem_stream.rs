//! Adds a problem document to the responses that hyper itself sends to invalid HTTP.
//!
//! hyper sends such responses without a body, and has no hook to change them. They are therefore
//! replaced on their way to the socket.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{IoSlice, Result, Write};
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{BUFFER, Response};

/// A connection on which hyper's own error responses are replaced.
pub(super) struct ProblemStream<S> {
    stream: S,
    replacement: Option<Replacement>,
}

/// A response that is sent instead of hyper's.
struct Replacement {
    text: Vec<u8>,
    sent: usize,
    /// The number of hyper's bytes that it replaces.
    replaced_length: usize,
}

impl Replacement {
    /// Creates the replacement for a response that hyper itself has written, or returns `None` for
    /// any other bytes.
    ///
    /// All other responses, including those of the application's routes, have a `cache-control`.
    fn new(bytes: &[u8]) -> Option<Self> {
        if !bytes.starts_with(b"HTTP/1.1 4") {
            return None;
        }
        let head = str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
        let status = head.get(9..12)?.parse().ok()?;
        if head.contains("\r\ncache-control: ") {
            return None;
        }
        let mut buffer = [0; BUFFER];
        let response = Response::invalid_http(status, &mut buffer);
        let mut text = Vec::new();
        // Keeps the status line and the date, without `connection` and `content-length`.
        let kept_lines = head.split("\r\n").filter(|line| !line.starts_with("con"));
        kept_lines.for_each(|line| text.extend([line.as_bytes(), b"\r\n"].concat()));
        for (name, value) in response.headers() {
            write!(text, "{name}: {value}\r\n").ok()?;
        }
        write!(text, "content-length: {}\r\n\r\n", response.body().len()).ok()?;
        text.extend(response.body());
        Some(Self { text, sent: 0, replaced_length: bytes.len() })
    }
}

impl<S: AsyncWrite + Unpin> ProblemStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, replacement: None }
    }

    /// Sends the replacement of `bytes`. Resolves to `None` if `bytes` are not replaced.
    fn poll_write_replacement(
        &mut self,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<Option<usize>>> {
        if self.replacement.is_none() {
            self.replacement = Replacement::new(bytes);
        }
        let Some(replacement) = &mut self.replacement else { return Poll::Ready(Ok(None)) };
        while let Some(rest) =
            replacement.text.get(replacement.sent..).filter(|rest| !rest.is_empty())
        {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Ok(Some(0))),
                sent => replacement.sent += sent,
            }
        }
        let replaced_length = replacement.replaced_length;
        self.replacement = None;
        Poll::Ready(Ok(Some(replaced_length)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for ProblemStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ProblemStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        match ready!(self.poll_write_replacement(cx, bytes))? {
            Some(sent) => Poll::Ready(Ok(sent)),
            None => Pin::new(&mut self.stream).poll_write(cx, bytes),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let first = parts.first().map_or(&[][..], |part| part);
        match ready!(self.poll_write_replacement(cx, first))? {
            Some(sent) => Poll::Ready(Ok(sent)),
            None => Pin::new(&mut self.stream).poll_write_vectored(cx, parts),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
