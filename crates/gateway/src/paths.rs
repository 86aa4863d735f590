//! Paths: which dialect a path belongs to, how it is folded for routing, and the parameters in it.
//! Everything works on the raw path: what is encoded stays encoded until a parameter is read.

use axum::extract::Request as HttpRequest;
use http::Uri;

use crate::{decode, door::Door};

/// Path parameters by position: template and path have the same number of segments.
pub(crate) fn params(template: &'static str, path: &str) -> Vec<(&'static str, String)> {
    if !template.contains('{') {
        return Vec::new();
    }
    let pairs = template.split('/').zip(path.split('/'));
    pairs
        .filter_map(|(name, raw)| {
            let name = name.strip_prefix('{')?.strip_suffix('}')?;
            Some((name, decode::segment(raw).into_owned()))
        })
        .collect()
}

/// Characters of the longest mount that is a prefix of the path on a segment boundary; 0 if none.
pub(crate) fn longest_prefix(door: &Door, path: &str) -> usize {
    let fits = |mount: &&&str| {
        path.get(..mount.len()).is_some_and(|head| head.eq_ignore_ascii_case(mount))
            && matches!(path.as_bytes().get(mount.len()), None | Some(b'/'))
    };
    door.mounts.iter().filter(fits).map(|mount| mount.len()).max().unwrap_or(0)
}

/// The request target of a URI.
pub(crate) fn target(uri: &Uri) -> String {
    uri.path_and_query().map_or("/", |target| target.as_str()).to_owned()
}

/// Folds the path of a request as its dialect routes by it; answers the target as it was sent when
/// that differs.
pub(crate) fn fold_path(request: &mut HttpRequest, door: &Door) -> Option<String> {
    let path = request.uri().path();
    let folded = (door.route)(path);
    if folded == path {
        return None;
    }
    let sent = target(request.uri());
    let with_query = match request.uri().query() {
        Some(query) => format!("{folded}?{query}"),
        None => folded.into_owned(),
    };
    if let Ok(uri) = with_query.parse() {
        *request.uri_mut() = uri;
    }
    Some(sent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_parameters_by_position_and_decodes_them() {
        let params =
            params("/v1/customers/{id}/addresses/{address}", "/v1/customers/a%2Fb/addresses/7");
        assert_eq!(params, [("id", "a/b".to_owned()), ("address", "7".to_owned())]);
    }
}
