//! TFRecord framing: a record's length (u64), the length's checksum (u32), the record, its checksum (u32).

use tensorboard_rs::masked_crc32c::masked_crc32c;

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
        let sound = |bytes: &[u8], sum: &[u8; 4]| masked_crc32c(bytes) == u32::from_le_bytes(*sum);
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
