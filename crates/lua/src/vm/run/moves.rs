//! Loads, moves, captured variables, logic.

use super::{ops, put, put_float, put_int, ra, rb, set, upvalue};
use crate::function::UpBox;
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
        for n in 0..=i.b() {
            put(ra(base, i).add(n), Val::NIL);
        }
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
        let v = *ra(base, i);
        put((*b).location, v);
        if v.is_object() {
            (*vm).barrier(b as *mut _, v);
        }
    }
}
