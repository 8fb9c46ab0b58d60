//! From picoserve's messages to ours, and back.

use ::picoserve::ResponseSent;
use ::picoserve::io::{Read, Write};
use ::picoserve::request::RequestParts;
use ::picoserve::response::{
    Connection, Content, ForEachHeader, HeadersIter, Response, ResponseWriter, StatusCode,
};

pub(super) fn described<'r>(parts: &RequestParts<'r>) -> crate::Request<'r> {
    let mut asked = crate::Request::new(parts.method(), parts.path().encoded());
    if let Some(query) = parts.query() {
        asked = asked.query(query.0);
    }
    parts.headers().iter().fold(asked, |asked, (name, value)| {
        // What is not text is no header that counts.
        asked.header(name.as_str().unwrap_or_default(), value.as_raw())
    })
}

/// Sends an answer that is no stream.
pub(super) async fn send<R: Read, W: ResponseWriter<Error = R::Error>>(
    response: &crate::Response<'_>,
    connection: Connection<'_, R>,
    writer: W,
) -> Result<ResponseSent, W::Error> {
    let status = StatusCode::new(response.status());
    let fields = Fields(response);
    match (response.content_length(), response.content_type()) {
        (Some(length), Some(content_type)) => {
            let body = Body { content_type, length, bytes: response.body() };
            let answer = Response::new(status, body).with_headers(fields);
            writer.write_response(connection, answer).await
        }
        (None, _) | (_, None) => {
            let answer = Response::empty(status);
            let content_type = response.content_type().map(|it| ("content-type", it));
            let answer = answer.with_headers(content_type).with_headers(fields);
            writer.write_response(connection, answer).await
        }
    }
}

/// All but Content-Type and Content-Length.
pub(super) struct Fields<'r, 'b>(pub(super) &'r crate::Response<'b>);

impl HeadersIter for Fields<'_, '_> {
    async fn for_each_header<F: ForEachHeader>(self, mut each: F) -> Result<F::Output, F::Error> {
        for (name, value) in self.0.headers().filter(|(name, _)| *name != "content-type") {
            each.call(name, value).await?;
        }
        each.finalize().await
    }
}

/// The answer to a HEAD tells the length of what it leaves out.
struct Body<'b> {
    content_type: &'static str,
    length: usize,
    bytes: &'b [u8],
}

impl Content for Body<'_> {
    fn content_type(&self) -> &'static str {
        self.content_type
    }

    fn content_length(&self) -> usize {
        self.length
    }

    async fn write_content<W: Write>(self, mut writer: W) -> Result<(), W::Error> {
        writer.write_all(self.bytes).await
    }
}
