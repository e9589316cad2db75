//! Where the keys of a hash part go.
//!
//! **Invariant:** nobody who does not know the VM's key can choose keys that collide more often than random ones. (Strings have their hash from
//! [`crate::string`].)

use super::memory::INLINE;
use crate::string::fold;

/// The bits of a table's `aux` that are the VM's.
const SEED: u32 = !INLINE;

/// What a VM's key is to number keys: less than half a word, which fits the header of each table, so that a look-up needs
/// nothing but the table.
pub(crate) fn int_seed(hash_key: u64) -> u32 {
    (fold(hash_key ^ 0x8EBC_6AF0_9C88_C6E3, 0xD6E8_FEB8_6659_FD93) >> 16) as u32 & SEED
}

/// The hash of an integer key for a hash part of `mask` + 1 nodes: the key itself, moved on by a keyed hash of the bits above those that index
/// the nodes.
///
/// Keys of one range as long as the hash part never collide, and follow one another in it in their own order: rows, identifiers and
/// steps of any odd width find their nodes without a miss, and a processor that fetches ahead along a stride does so here. Two keys of
/// different ranges collide as often as any two random numbers, and which do nobody knows without the VM's key.
///
/// A plain multiplication would not do: keys that differ in their upper bits only would collide whatever the key of the
/// VM is, and a script (or a request with numbers in it) could make every look-up walk one long chain.
#[inline(always)]
pub(super) fn hash_int(aux: u32, i: i64, mask: u32) -> u32 {
    hash_in_range(aux, 0, i, mask)
}

/// The hash of a float key, which has no integer value: as for integers, by its whole part, the rest (`more`) being hashed with the range.
#[inline(always)]
pub(super) fn hash_float(aux: u32, payload: u64, mask: u32) -> u32 {
    let f = f64::from_bits(payload);
    let whole = f as i64; // towards zero, and the nearest there is
    hash_in_range(aux, (f - whole as f64).to_bits(), whole, mask)
}

#[inline(always)]
fn hash_in_range(aux: u32, more: u64, i: i64, mask: u32) -> u32 {
    const SPREAD: u64 = 0x9E37_79B9_7F4A_7C15;
    let seed = aux & SEED;
    let range = (i as u64) >> (u32::BITS - mask.leading_zeros()); // at most 30
    let h = fold(range ^ more ^ (seed as u64).wrapping_mul(SPREAD), SPREAD);
    ((h ^ h >> 32) as u32).wrapping_add(i as u32)
}

/// The hash of any other key that is compared by its payload.
pub(super) fn hash_word(hash_key: u64, w: u64) -> u32 {
    let h = fold(
        w ^ hash_key,
        hash_key.rotate_left(32) ^ 0xD6E8_FEB8_6659_FD93,
    );
    (h ^ h >> 32) as u32
}
