//! TFRecord framing: a record's length (u64), the length's checksum (u32), the record, its checksum (u32).

/// Bytes that frame a record.
const FRAME: usize = 16;

/// The whole, undamaged records at the front of `contents`.
pub fn records(contents: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = contents;
    std::iter::from_fn(move || {
        let (length, tail) = rest.split_first_chunk::<8>()?;
        let (length_sum, tail) = tail.split_first_chunk::<4>()?;
        let count = usize::try_from(u64::from_le_bytes(*length)).ok()?;
        let (record, tail) = tail.split_at_checked(count)?;
        let (record_sum, tail) = tail.split_first_chunk::<4>()?;
        let sound = |bytes: &[u8], sum: &[u8; 4]| checksum(bytes) == u32::from_le_bytes(*sum);
        if !(sound(length, length_sum) && sound(record, record_sum)) {
            return None;
        }
        rest = tail;
        Some(record)
    })
}

/// A record in its frame.
pub fn framed(record: &[u8]) -> Vec<u8> {
    let length = (record.len() as u64).to_le_bytes();
    [&length[..], &checksum(&length).to_le_bytes(), record, &checksum(record).to_le_bytes()].concat()
}

/// Bytes that a record takes with its frame.
pub fn framed_len(record: &[u8]) -> usize {
    record.len() + FRAME
}

/// What one byte contributes to a CRC-32C (Castagnoli, bits reversed).
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let (mut value, mut bit) = (byte as u32, 0);
        while bit < 8 {
            value = (value >> 1) ^ (if value & 1 == 1 { 0x82f6_3b78 } else { 0 });
            bit += 1;
        }
        table[byte] = value;
        byte += 1;
    }
    table
};

/// CRC-32C as TFRecord masks it: turned by 15 bits and shifted by a constant, so that sums of sums stay apart.
fn checksum(bytes: &[u8]) -> u32 {
    let step = |crc: u32, &byte: &u8| TABLE[usize::from(crc as u8 ^ byte)] ^ (crc >> 8);
    let crc = !bytes.iter().fold(!0, step);
    crc.rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_standard() {
        let unmasked = |bytes: &[u8]| checksum(bytes).wrapping_sub(0xa282_ead8).rotate_left(15);
        // The check value of CRC-32C, and two of RFC 3720.
        assert_eq!(unmasked(b"123456789"), 0xe306_9283);
        assert_eq!(unmasked(&[0; 32]), 0x8a91_36aa);
        assert_eq!(unmasked(&[0xff; 32]), 0x62a8_ab43);
    }

    #[test]
    fn what_is_framed_is_read_again() {
        let contents = [framed(b"one"), framed(b""), framed(b"three")].concat();
        assert_eq!(records(&contents).collect::<Vec<_>>(), [b"one".as_slice(), b"", b"three"]);
        assert_eq!(framed(b"one").len(), framed_len(b"one"));
    }
}
