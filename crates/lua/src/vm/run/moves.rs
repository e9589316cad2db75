//! Loads, moves, captured variables, logic.

use super::{clear, ops, put, put_float, put_int, ra, rb, set, upvalue};
use crate::function::UpBox;
use crate::heap::collect::mark_bits;
use crate::value::{Val, tag};

ops! { (vm, pc, base, i, k, frame)
    MOVE => { set(ra(base, i), rb(base, i)); }
    LOADI => { put_int(ra(base, i), i.sbx() as i64); }
    LOADF => { put_float(ra(base, i), i.sbx() as f64); }
    LOADK => { set(ra(base, i), k.add(i.bx())); }
    LOADKX => {
        set(ra(base, i), k.add((*pc).ax_value() as usize));
        pc = pc.add(1);
    }
    LOADFALSE => { (*ra(base, i)).tag = tag::FALSE; }
    LFALSESKIP => {
        (*ra(base, i)).tag = tag::FALSE;
        pc = pc.add(1);
    }
    LOADTRUE => { (*ra(base, i)).tag = tag::TRUE; }
    LOADNIL => {
        let first = ra(base, i);
        clear(first, first.add(i.b() + 1));
    }
    NOT => {
        let v = Val::bool(!(*rb(base, i)).truthy());
        put(ra(base, i), v);
    }

    GETUPVAL => { set(ra(base, i), upvalue(base, i.b())); }
    GETUPBOX => {
        let b = (*upvalue(base, i.b())).payload as *const UpBox;
        set(ra(base, i), (*b).location);
    }
    SETUPBOX => {
        let b = (*upvalue(base, i.b())).payload as *mut UpBox;
        let from = ra(base, i);
        set((*b).location, from);
        if (*from).is_object() && (*b).header.mark & mark_bits::BLACK != 0 {
            return object_in_box(vm, pc, base, i, k, frame);
        }
    }
    /// SETUPBOX has put an object into a variable that the collector has done with.
    #[inline(never)]
    object_in_box => {
        let b = (*upvalue(base, i.b())).payload as *mut UpBox;
        (*vm).barrier(b as *mut _, *ra(base, i));
    }
}
