//! Git's framing: each packet is four hex digits of its own length, then its payload; a few lengths below four are marks.

/// The longest payload of one packet.
pub const MAX_PAYLOAD: usize = 65_516;

const HEADER: usize = 4;

/// One packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Packet<'a> {
    /// A payload, possibly empty.
    Data(&'a [u8]),
    /// `0000`, the end of a section.
    Flush,
    /// `0001`, the border inside of a section (protocol v2).
    Delimiter,
    /// `0002`, the end of a stateless answer (protocol v2).
    ResponseEnd,
}

/// Why bytes are no packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PktLineError {
    /// The length is not four hex digits, or a value that has no meaning.
    #[error("a git packet starts with an invalid length")]
    Length,
    /// The payload does not fit.
    #[error("a git packet holds at most {MAX_PAYLOAD} bytes")]
    TooLong,
}

/// Reads the packet at the start of `input`: it and how many bytes it took, or `None` while more bytes are needed.
///
/// # Errors
/// When the length is invalid, which is known after four bytes.
pub fn decode(input: &[u8]) -> Result<Option<(Packet<'_>, usize)>, PktLineError> {
    let Some(header) = input.first_chunk::<HEADER>() else { return Ok(None) };
    let length = header.iter().try_fold(0, |sum, &digit| {
        let digit = char::from(digit).to_digit(16).ok_or(PktLineError::Length)?;
        Ok::<usize, PktLineError>(sum * 16 + digit as usize)
    })?;
    match length {
        0 => Ok(Some((Packet::Flush, HEADER))),
        1 => Ok(Some((Packet::Delimiter, HEADER))),
        2 => Ok(Some((Packet::ResponseEnd, HEADER))),
        3 => Err(PktLineError::Length),
        _ if length > HEADER + MAX_PAYLOAD => Err(PktLineError::TooLong),
        _ => Ok(input.get(HEADER..length).map(|payload| (Packet::Data(payload), length))),
    }
}

/// Appends a packet with `payload`.
///
/// # Errors
/// When the payload does not fit into one packet.
pub fn encode(out: &mut Vec<u8>, payload: &[u8]) -> Result<(), PktLineError> {
    if payload.len() > MAX_PAYLOAD {
        return Err(PktLineError::TooLong);
    }
    out.extend_from_slice(format!("{:04x}", payload.len() + HEADER).as_bytes());
    out.extend_from_slice(payload);
    Ok(())
}

/// Appends `0000`.
pub fn encode_flush(out: &mut Vec<u8>) {
    out.extend_from_slice(b"0000");
}

/// The channels that `side-band-64k` multiplexes into one stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Band {
    /// What the stream is about.
    Data = 1,
    /// Words for the person, shown as `remote: …`.
    Progress = 2,
    /// The last words before giving up.
    Error = 3,
}

/// Appends `bytes` on one channel, in as many packets as they need.
pub fn encode_band(out: &mut Vec<u8>, band: Band, bytes: &[u8]) {
    for chunk in bytes.chunks(MAX_PAYLOAD - 1) {
        out.extend_from_slice(format!("{:04x}", chunk.len() + 1 + HEADER).as_bytes());
        out.push(band as u8);
        out.extend_from_slice(chunk);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_examples_of_gits_own_documentation() {
        for (line, payload) in [("0006a\n", "a\n"), ("0005a", "a"), ("000bfoobar\n", "foobar\n"), ("0004", "")] {
            assert_eq!(decode(line.as_bytes()), Ok(Some((Packet::Data(payload.as_bytes()), line.len()))));
            let mut out = Vec::new();
            encode(&mut out, payload.as_bytes()).unwrap();
            assert_eq!(out, line.as_bytes());
        }
        assert_eq!(decode(b"0000PACK"), Ok(Some((Packet::Flush, 4))));
        assert_eq!(decode(b"0001"), Ok(Some((Packet::Delimiter, 4))));
        assert_eq!(decode(b"0002"), Ok(Some((Packet::ResponseEnd, 4))));
    }

    #[test]
    fn incomplete_packets_ask_for_more() {
        for part in ["", "0", "000", "0006", "0006a"] {
            assert_eq!(decode(part.as_bytes()), Ok(None), "{part:?}");
        }
    }

    #[test]
    fn bad_lengths() {
        for bad in ["0003", "00g0", "-001", "+001", "    ", "PACK", "0x10"] {
            assert_eq!(decode(bad.as_bytes()), Err(PktLineError::Length), "{bad:?}");
        }
        assert_eq!(decode(b"fff1"), Err(PktLineError::TooLong));
        assert_eq!(decode(b"fff0"), Ok(None));
        assert_eq!(encode(&mut Vec::new(), &[0; MAX_PAYLOAD + 1]), Err(PktLineError::TooLong));
    }

    #[test]
    fn bands_are_split_into_packets() {
        let bytes = vec![7; 2 * MAX_PAYLOAD];
        let mut out = Vec::new();
        encode_band(&mut out, Band::Progress, &bytes);
        let (mut joined, mut at) = (Vec::new(), 0);
        while let Some((Packet::Data(payload), used)) = decode(&out[at..]).unwrap() {
            assert_eq!(payload[0], 2);
            joined.extend_from_slice(&payload[1..]);
            at += used;
        }
        assert_eq!((joined, at), (bytes, out.len()));
    }

    proptest! {
        #[test]
        fn round_trip(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..5)) {
            let mut out = Vec::new();
            for payload in &payloads {
                encode(&mut out, payload).unwrap();
            }
            encode_flush(&mut out);
            let mut at = 0;
            for payload in &payloads {
                let (packet, used) = decode(&out[at..]).unwrap().unwrap();
                prop_assert_eq!(packet, Packet::Data(payload));
                at += used;
            }
            prop_assert_eq!(decode(&out[at..]), Ok(Some((Packet::Flush, 4))));
        }

        #[test]
        fn never_panics_and_never_reads_past_the_end(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(Some((_, used))) = decode(&bytes) {
                prop_assert!(used <= bytes.len());
            }
        }
    }
}
