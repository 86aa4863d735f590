//! The guarded client as the use cases know it.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use patron_app::webhooks::carrier::{Answered, Carrier, Carrying, Posted};
use patron_outbound::{Answer, Client, Fault, Refused};

/// Carries requests by the guarded client.
pub struct Guarded(pub Client);

impl Carrier for Guarded {
    fn check(&self, url: &str) -> Result<(), &'static str> {
        self.0.check(url).map(drop).map_err(Refused::needs)
    }

    fn post<'a>(&'a self, request: &'a Posted) -> Carrying<'a> {
        Box::pin(async move {
            let Posted { url, headers, body, within } = request;
            // Looked at again: what was allowed once may not be any more.
            let target = self.0.check(url).map_err(|_| Fault::AddressRefused.as_str())?;
            let headers = map(headers);
            let body = Bytes::copy_from_slice(body);
            let answer = self.0.post(&target, &headers, body, *within).await;
            let Answer { status, retry_after } = answer.map_err(Fault::as_str)?;
            let longest = Duration::from_secs(u64::from(u32::MAX));
            Ok(Answered { status, retry_after: retry_after.map(|wait| wait.min(longest)) })
        })
    }
}

/// Later ones win: a header of the endpoint's own replaces none of ours.
fn map(headers: &[(String, String)]) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
            map.insert(name, value);
        }
    }
    map
}
