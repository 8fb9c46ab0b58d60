//! Converts picoserve's requests to ours, and sends our responses with picoserve.

use ::picoserve::ResponseSent;
use ::picoserve::io::{Read, Write};
use ::picoserve::request::RequestParts;
use ::picoserve::response::{
    Connection, Content, ForEachHeader, HeadersIter, Response, ResponseWriter, StatusCode,
};

pub(super) fn to_request<'r>(parts: &RequestParts<'r>) -> crate::Request<'r> {
    let mut request = crate::Request::new(parts.method(), parts.path().encoded());
    if let Some(query) = parts.query() {
        request = request.query(query.0);
    }
    parts.headers().iter().fold(request, |request, (name, value)| {
        // A header name that is not text is not one that matters here.
        request.header(name.as_str().unwrap_or_default(), value.as_raw())
    })
}

/// Sends a response that is not a stream.
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
            let response = Response::new(status, body).with_headers(fields);
            writer.write_response(connection, response).await
        }
        (None, _) | (_, None) => {
            let content_type = response.content_type().map(|it| ("content-type", it));
            let response = Response::empty(status).with_headers(content_type).with_headers(fields);
            writer.write_response(connection, response).await
        }
    }
}

/// All headers except Content-Type and Content-Length.
pub(super) struct Fields<'r, 'b>(pub(super) &'r crate::Response<'b>);

impl HeadersIter for Fields<'_, '_> {
    async fn for_each_header<F: ForEachHeader>(self, mut each: F) -> Result<F::Output, F::Error> {
        for (name, value) in self.0.headers().filter(|(name, _)| *name != "content-type") {
            each.call(name, value).await?;
        }
        each.finalize().await
    }
}

/// A body with its length. In the response to a HEAD, `bytes` is empty but `length` is not zero.
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
