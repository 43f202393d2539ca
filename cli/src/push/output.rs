//! A job's output, of which the end is kept.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use model::heartbeat::MAX_OUTPUT_BYTES;

/// The last bytes of a file, or of standard input if it is called `-`.
pub(super) fn read(path: &Path) -> io::Result<Vec<u8>> {
    if path.as_os_str() == "-" { end_of(io::stdin().lock()) } else { end_of(File::open(path)?) }
}

/// Reads to the end and keeps no more than is sent.
fn end_of(mut from: impl Read) -> io::Result<Vec<u8>> {
    let mut kept = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok(kept),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        kept.extend_from_slice(&chunk[..read]);
        let surplus = kept.len().saturating_sub(MAX_OUTPUT_BYTES);
        kept.drain(..surplus);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept() {
        assert_eq!(end_of(&b"short"[..]).expect("read"), b"short");
        let long: Vec<u8> = (0..100_000_u32).map(|n| (n % 251) as u8).collect();
        assert_eq!(end_of(&long[..]).expect("read"), long[long.len() - MAX_OUTPUT_BYTES..]);
    }
}
