//! What is no HTTP hyper answers by itself, without a word. On its way out such an answer gets some.

use core::pin::Pin;
use core::task::{Context, Poll, ready};
use std::io::{IoSlice, Result, Write};
use std::vec::Vec;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::{BUFFER, Response};

/// A connection on which hyper's own answers are replaced.
pub(super) struct Spoken<S> {
    stream: S,
    instead: Option<Instead>,
}

struct Instead {
    text: Vec<u8>,
    sent: usize,
    /// How many bytes of hyper's it stands for.
    length: usize,
}

impl Instead {
    /// Every other answer, also of the application's routes, has a `cache-control`.
    fn of(answer: &[u8]) -> Option<Self> {
        if !answer.starts_with(b"HTTP/1.1 4") {
            return None;
        }
        let head = str::from_utf8(answer).ok()?.strip_suffix("\r\n\r\n")?;
        let status = head.get(9..12)?.parse().ok()?;
        if head.contains("\r\ncache-control: ") {
            return None;
        }
        let mut buffer = [0; BUFFER];
        let response = Response::unreadable(status, &mut buffer);
        let mut text = Vec::new();
        // Its status and date.
        let kept = head.split("\r\n").filter(|line| !line.starts_with("con"));
        kept.for_each(|line| text.extend([line.as_bytes(), b"\r\n"].concat()));
        for (name, value) in response.headers() {
            write!(text, "{name}: {value}\r\n").ok()?;
        }
        write!(text, "content-length: {}\r\n\r\n", response.body().len()).ok()?;
        text.extend(response.body());
        Some(Self { text, sent: 0, length: answer.len() })
    }
}

impl<S: AsyncWrite + Unpin> Spoken<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, instead: None }
    }

    /// Sends what stands for `bytes`; `None` if they are to be sent themselves.
    fn poll_instead(&mut self, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<Option<usize>>> {
        if self.instead.is_none() {
            self.instead = Instead::of(bytes);
        }
        let Some(instead) = &mut self.instead else { return Poll::Ready(Ok(None)) };
        while let Some(rest) = instead.text.get(instead.sent..).filter(|rest| !rest.is_empty()) {
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Ok(Some(0))),
                sent => instead.sent += sent,
            }
        }
        let length = instead.length;
        self.instead = None;
        Poll::Ready(Ok(Some(length)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Spoken<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Spoken<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<Result<usize>> {
        match ready!(self.poll_instead(cx, bytes))? {
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
        match ready!(self.poll_instead(cx, first))? {
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
