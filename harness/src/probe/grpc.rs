//! The one call to etcd that its JSON gateway does not have: a hash of all keys up to a revision. A message of one number
//! goes out and one of three comes back, so they are written and read here, field by field.
//!
//! Source: etcdserver/etcdserverpb/rpc.proto of etcd, and <https://protobuf.dev/programming-guides/encoding/>.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, TE};
use http::{HeaderMap, Request};
use http_body_util::Full;
use quorate_doors::{Door, Unanswered};

const METHOD: &str = "/etcdserverpb.Maintenance/HashKV";

/// What a member's data comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Hashed {
    /// The hash of all keys.
    pub(super) hash: u32,
    /// Up to which revision the member had forgotten the past when the hash was made.
    pub(super) compacted: u64,
}

/// Asks a member for the hash of its data at a revision.
pub(super) async fn hash(door: &Door, revision: u64) -> Result<Hashed, Unanswered> {
    let request = Request::post(door.uri(METHOD)).header(CONTENT_TYPE, "application/grpc").header(TE, "trailers");
    let response = door.call(request.body(Full::new(framed(&number(1, revision))))?).await?;
    refused(response.body().trailers().unwrap_or(response.headers()))?;
    let body = response.into_body().to_bytes();
    let message = body.get(5..).ok_or_else(|| Unanswered::Grpc("the answer is cut".into()))?;
    read(message).ok_or_else(|| Unanswered::Grpc("the answer cannot be read".into()))
}

/// A message behind its length: not compressed, so many bytes long.
fn framed(message: &[u8]) -> Bytes {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
    [&[0], length.as_slice(), message].concat().into()
}

fn refused(trailers: &HeaderMap) -> Result<(), Unanswered> {
    let text = |name| trailers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    match text("grpc-status").as_deref() {
        Some("0") => Ok(()),
        status => {
            let message = text("grpc-message").unwrap_or_default();
            Err(Unanswered::Grpc(format!("status {}: {message}", status.unwrap_or("none"))))
        }
    }
}

/// A field that is a number.
fn number(field: u64, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    for mut rest in [field << 3, value] {
        while rest >= 0x80 {
            bytes.push((rest & 0x7f) as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
    }
    bytes
}

fn read(mut message: &[u8]) -> Option<Hashed> {
    let mut hashed = Hashed::default();
    while !message.is_empty() {
        let tag = varint(&mut message)?;
        match (tag >> 3, tag & 7) {
            (2, 0) => hashed.hash = u32::try_from(varint(&mut message)?).ok()?,
            (3, 0) => hashed.compacted = varint(&mut message)?,
            (_, 0) => _ = varint(&mut message)?,
            (_, 1) => message = message.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut message)?).ok()?;
                message = message.get(length..)?;
            }
            (_, 5) => message = message.get(4..)?,
            _ => return None,
        }
    }
    Some(hashed)
}

fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_what_etcdctl_sends() {
        assert_eq!(framed(&number(1, 300)).as_ref(), [0, 0, 0, 0, 3, 0x08, 0xac, 0x02]);
    }

    #[test]
    fn an_answer_is_read_past_what_is_not_needed() {
        let header = [0x0a, 4, 0x08, 1, 0x18, 9];
        let answer = [header.as_slice(), &number(2, 4_000_000_000), &number(3, 77)].concat();
        assert_eq!(read(&answer), Some(Hashed { hash: 4_000_000_000, compacted: 77 }));
        assert_eq!(read(&answer[..answer.len() - 1]), None);
        assert_eq!(read(&[0x0a, 200]), None);
    }

    #[test]
    fn a_refusal_is_told_with_its_reason() {
        let mut trailers = HeaderMap::new();
        assert!(refused(&trailers).unwrap_err().to_string().contains("status none"));
        trailers.insert("grpc-status", "11".parse().unwrap());
        trailers.insert("grpc-message", "mvcc: required revision is a future revision".parse().unwrap());
        assert!(refused(&trailers).unwrap_err().to_string().contains("status 11: mvcc: required revision is a future"));
        trailers.insert("grpc-status", "0".parse().unwrap());
        assert!(refused(&trailers).is_ok());
    }

    proptest! {
        #[test]
        fn numbers_are_read_as_they_were_written(value: u64) {
            let bytes = number(3, value);
            prop_assert_eq!(read(&bytes), Some(Hashed { hash: 0, compacted: value }));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
