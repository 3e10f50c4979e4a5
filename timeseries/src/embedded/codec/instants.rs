//! A chunk's instants: one column, shared by all series of a block that have equal ones.
//!
//! | Encoding | For | Bytes |
//! | --- | --- | --- |
//! | 0 varints | few | differences of differences, zigzag varints |
//! | 1 regular | equal steps | first instant zigzag, step varint |
//! | 2 packed | the rest | first instant zigzag, then pco of the differences to it, u32, delta order 1 |
//! | 3 wide | a span of more than 2^32 ms | pco of i64, delta order 1 |

use super::{Reader, Scratch, packed, put_deltas, put_signed, put_varint, read_deltas};

const VARINTS: u8 = 0;
const REGULAR: u8 = 1;
const PACKED: u8 = 2;
const WIDE: u8 = 3;

/// Fewer are smaller, and quicker to write, as varints.
pub(super) const PACKED_MIN: usize = 32;

/// `instants` rise.
pub fn put(out: &mut Vec<u8>, instants: &[i64]) {
    if let Some(step) = step(instants) {
        out.push(REGULAR);
        put_signed(out, instants[0]);
        put_varint(out, step);
    } else if instants.len() < PACKED_MIN {
        out.push(VARINTS);
        put_deltas(out, instants.iter().copied());
    } else {
        let first = instants[0];
        let offsets: Option<Vec<u32>> =
            instants.iter().map(|at| u32::try_from(at.checked_sub(first)?).ok()).collect();
        match offsets {
            Some(offsets) => {
                out.push(PACKED);
                put_signed(out, first);
                packed::put_integers(out, &offsets);
            }
            None => {
                out.push(WIDE);
                packed::put_integers(out, instants);
            }
        }
    }
}

fn step(instants: &[i64]) -> Option<u64> {
    let [first, second, ..] = instants else { return None };
    let step = second.checked_sub(*first).filter(|step| *step >= 0)?;
    let regular = instants.windows(2).all(|pair| pair[1].checked_sub(pair[0]) == Some(step));
    regular.then_some(step as u64)
}

/// Exactly `count` instants from the whole of `bytes`.
pub fn read(bytes: &[u8], count: usize, scratch: &mut Scratch) -> Option<Vec<i64>> {
    let mut reader = Reader::new(bytes);
    match reader.byte()? {
        VARINTS => {
            let mut instants = Vec::with_capacity(count);
            read_deltas(&mut reader, count, &mut instants)?;
            reader.is_empty().then_some(instants)
        }
        REGULAR => {
            let (first, step) = (reader.signed()?, i64::try_from(reader.varint()?).ok()?);
            let last = step.checked_mul(i64::try_from(count).ok()?.saturating_sub(1))?;
            first.checked_add(last)?;
            reader.is_empty().then(|| (0..count as i64).map(|i| first + i * step).collect())
        }
        PACKED => {
            let first = reader.signed()?;
            let mut offsets = vec![0u32; count];
            scratch.read(reader.rest(), &mut offsets)?;
            offsets.into_iter().map(|offset| first.checked_add(i64::from(offset))).collect()
        }
        WIDE => {
            let mut instants = vec![0i64; count];
            scratch.read(reader.rest(), &mut instants)?;
            Some(instants)
        }
        _ => None,
    }
}
