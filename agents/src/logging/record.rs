//! TFRecord framing: a record's length (u64), the length's checksum (u32), the record, its checksum (u32).

use crc::{CRC_32_ISCSI, Crc};

/// Bytes that frame a record.
const FRAME: usize = 16;

/// CRC-32C.
const CHECKSUM: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// The checksum of a frame: CRC-32C, changed so that it is not one of data that hold such a checksum.
fn checksum(bytes: &[u8]) -> u32 {
    CHECKSUM.checksum(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// A record in its frame.
pub fn framed(record: &[u8]) -> Vec<u8> {
    let length = (record.len() as u64).to_le_bytes();
    let mut framed = Vec::with_capacity(framed_len(record));
    framed.extend(length);
    framed.extend(checksum(&length).to_le_bytes());
    framed.extend(record);
    framed.extend(checksum(record).to_le_bytes());
    framed
}

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

/// Bytes that a record takes with its frame.
pub fn framed_len(record: &[u8]) -> usize {
    record.len() + FRAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_have_the_bytes_of_tensorboard() {
        // As TensorBoard's own writer makes it: `masked_crc32c(b"123456789")` and that of the length 9.
        let framed = framed(b"123456789");
        assert_eq!(framed[..8], 9_u64.to_le_bytes());
        assert_eq!(framed[8..12], 0x3971_f937_u32.to_le_bytes());
        assert_eq!(framed[21..], 0xc78a_b0e5_u32.to_le_bytes());
        assert_eq!(records(&framed).collect::<Vec<_>>(), [b"123456789"]);
        assert_eq!(framed.len(), framed_len(b"123456789"));
    }
}
