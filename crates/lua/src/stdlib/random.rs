//! `math.random` and `math.randomseed`: xoshiro256** (Blackman and Vigna), one state per VM.
//!
//! **Invariant:** the state is never the VM's hash key, nor can that be computed from it: what scripts see of the
//! sequence must not help them to find colliding keys. Sequences after an explicit seed are those of the reference.

use crate::dialect::Dialect;
use crate::function::{Cost, NativeDef};
use crate::native::{Action, Ctx, NativeResult};
use crate::value::{Val, tag};
use crate::vm::Vm;

pub(super) static RANDOM: NativeDef = NativeDef {
    name: "random",
    run: random,
    cost: Cost::Constant,
    quick: Some(quick_random),
    switch: None,
};
pub(super) static RANDOMSEED: NativeDef = NativeDef::new("randomseed", randomseed, Cost::Constant);

/// Values thrown away after seeding, so that similar seeds have gone apart.
const WARM_UP: usize = 16;

fn next(s: &mut [u64; 4]) -> u64 {
    let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
    let shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3].rotate_left(45);
    result
}

fn seed(s: &mut [u64; 4], first: u64, second: u64) {
    *s = [first, 0xFF, second, 0];
    for _ in 0..WARM_UP {
        next(s);
    }
}

/// The uppermost 53 bits as a float in [0, 1).
fn to_unit_float(random: u64) -> f64 {
    (random >> 11) as f64 * (0.5 / (1u64 << 52) as f64)
}

/// A number from 0 to `last`, all equally likely: bits outside the smallest enclosing power of two are cut off, and
/// what is still too large is drawn again (less than every second time).
fn project(s: &mut [u64; 4], mut random: u64, last: u64) -> u64 {
    let mask = last
        .checked_add(1)
        .and_then(u64::checked_next_power_of_two)
        .map_or(u64::MAX, |n| n - 1);
    loop {
        random &= mask;
        if random <= last {
            return random;
        }
        random = next(s);
    }
}

/// A float in [0, 1), for versions whose `random` begins with one.
pub(super) fn next_unit(vm: &mut Vm) -> f64 {
    to_unit_float(next(&mut vm.random_state))
}

/// Begins the sequence of a seed.
pub(super) fn seed_with(vm: &mut Vm, bits: u64) {
    seed(&mut vm.random_state, bits, 0);
}

fn quick_random(vm: &mut Vm, args: &[Val], _one: bool) -> Val {
    let (low, high) = match args {
        [] => return Val::float(next_unit(vm)),
        [high] if high.tag == tag::INT && high.raw_int() > 0 => (1, high.raw_int()),
        [low, high] if low.tag == tag::INT && high.tag == tag::INT => {
            (low.raw_int(), high.raw_int())
        }
        _ => return Val::UNSUITED,
    };
    // 5.3 refuses an interval that begins too far below zero.
    if low > high || (low < 0 && vm.dialect < Dialect::Lua54) {
        return Val::UNSUITED;
    }
    let state = &mut vm.random_state;
    let r = next(state);
    let offset = project(state, r, (high as u64).wrapping_sub(low as u64));
    Val::int((low as u64).wrapping_add(offset) as i64)
}

pub(super) fn random(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.floats {
        return super::versions::numbers::random(ctx);
    }
    if ctx.vm.dialect < Dialect::Lua54 {
        super::versions::numbers::check_interval(ctx)?;
    }
    let r = next(&mut ctx.vm.random_state);
    let (low, high) = match ctx.nargs() {
        0 => return ctx.ret(Val::float(to_unit_float(r))),
        1 => match ctx.check_int(0)? {
            0 => return ctx.ret(Val::int(r as i64)),
            high => (1, high),
        },
        2 => (ctx.check_int(0)?, ctx.check_int(1)?),
        _ => return Err(ctx.error("wrong number of arguments")),
    };
    if low > high {
        return Err(ctx.arg_error(0, "interval is empty"));
    }
    let offset = project(
        &mut ctx.vm.random_state,
        r,
        (high as u64).wrapping_sub(low as u64),
    );
    ctx.ret(Val::int((low as u64).wrapping_add(offset) as i64))
}

fn randomseed(ctx: &mut Ctx<'_>) -> NativeResult {
    if ctx.vm.dialect < Dialect::Lua54 {
        return super::versions::numbers::randomseed(ctx);
    }
    let (first, second) = if ctx.is_none(0) {
        host_seed(ctx.vm)
    } else {
        (ctx.check_int(0)?, ctx.opt_int(1, 0)?)
    };
    seed(&mut ctx.vm.random_state, first as u64, second as u64);
    ctx.push(Val::int(first));
    ctx.push(Val::int(second));
    Ok(Action::Return(2))
}

fn host_seed(vm: &Vm) -> (i64, i64) {
    (vm.host.random_seed() as i64, vm.host.random_seed() as i64)
}

/// Gives a new VM its first state.
pub(super) fn seed_from_host(vm: &mut Vm) {
    let (first, second) = host_seed(vm);
    seed(&mut vm.random_state, first as u64, second as u64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_are_the_references() {
        let mut s = [0; 4];
        seed(&mut s, 1007, 0);
        assert_eq!(next(&mut s), 0x7a70_40a5_a323_c9d6);
    }

    #[test]
    fn projections_stay_inside_and_reach_both_ends() {
        let mut s = [0; 4];
        seed(&mut s, 1, 2);
        for last in [0u64, 1, 2, 6, 7, 9] {
            let mut seen = vec![false; last as usize + 1];
            for _ in 0..1000 {
                let r = next(&mut s);
                seen[project(&mut s, r, last) as usize] = true;
            }
            assert!(seen.iter().all(|s| *s), "0..={last}");
        }
        assert_eq!(project(&mut s, u64::MAX, u64::MAX), u64::MAX);
        let r = next(&mut s);
        assert!(project(&mut s, r, u64::MAX - 1) < u64::MAX);
    }
}
